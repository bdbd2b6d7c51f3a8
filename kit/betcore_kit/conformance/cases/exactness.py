"""Amounts to the last digit, and which bodies are read at all."""

import re
from decimal import Decimal
from functools import partial

from betcore_kit.conformance.case import case, ensure, table
from betcore_kit.conformance.stage import Session, Stage, new_id

TYPES = "Types"
exact = partial(case, "exactness")
_PLAIN_NUMBER = re.compile(r'"balance":\s?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?[,}]')


def body(bet: str, stake: str = "1", win: str = "0", more: str = "") -> bytes:
    """Return a pay-in-out with amounts spelled like this."""
    return f'{{"betId":"{bet}","betAmount":{stake},"winAmount":{win}{more}}}'.encode()


async def taken_as(session: Session, spelling: str, amount: str) -> None:
    """Send a stake spelled like this: it is taken to the last digit."""
    before = await session.balance()
    answer = (await session.post("pay-in-out", body(new_id(), spelling))).expect(1)
    took = before - answer.amount("balance")
    ensure(took == Decimal(amount), f"A stake of {spelling} took {took} from the balance.")


async def refused(session: Session, sent: bytes) -> None:
    """Send this body: it is refused with 2, and moves nothing."""
    before = await session.balance()
    (await session.post("pay-in-out", sent)).expect(2, error="invalid_request")
    ensure(await session.balance() == before, "A body that was refused with 2 moved money.")


@exact(TYPES)
async def amounts_never_go_through_binary_floats(at: Stage) -> None:
    """Stakes of 0.1 and 0.2 take exactly 0.3."""
    session = await at.session()
    before = await session.balance()
    for stake in ("0.1", "0.2"):
        answer = (await session.post("pay-in-out", body(new_id(), stake))).expect(1)
    ensure(before - answer.amount("balance") == Decimal("0.3"), "0.1 and 0.2 are not 0.3 here.")


@exact("Claims")
async def a_balance_is_a_plain_number(at: Stage) -> None:
    """A balance is a JSON number without an exponent and without trailing zeros."""
    session = await at.session()
    for answer in (
        await session.ask_balance(),
        await session.pay_in_out(new_id(), "0.5", "0"),
        await session.pay_in_out(new_id(), "0", "0.50"),
    ):
        shown = bool(_PLAIN_NUMBER.search(answer.expect(1).text))
        ensure(shown, f"The balance is no plain number in {answer.text}")


@exact(TYPES)
async def large_balances_are_exact(at: Stage) -> None:
    """A balance with more digits than a binary float holds is told to the last one."""
    there = await at.elsewhere()
    session = await there.session(balance="900000000000000")
    before = await session.balance()
    answer = (await session.pay_in(new_id(), "0.01")).expect(1)
    ensure(before - answer.amount("balance") == Decimal("0.01"), f"Got {answer.text}")


@exact(TYPES)
async def a_currency_without_decimals_takes_none(at: Stage) -> None:
    """A currency without decimals takes 1, and refuses 0.5 with code 2."""
    session = await at.session(currency="JPY")
    await taken_as(session, "1", "1")
    await taken_as(session, "1.0", "1")
    await refused(session, body(new_id(), "0.5"))


@exact(TYPES)
async def a_bet_id_may_be_an_integer(at: Stage) -> None:
    """A `betId` that is a JSON integer is taken as its text."""
    session = await at.session()
    number = str(int(new_id().removeprefix("kit-"), 16))
    (await session.post("pay-in", f'{{"betId":{number},"betAmount":1}}'.encode())).expect(1)
    (await session.provider.state(number)).expect(1, state="open", betId=number)


@exact(TYPES)
async def a_bet_id_has_up_to_128_code_points(at: Stage) -> None:
    """A `betId` may have 128 code points of any script, and is told unchanged."""
    session = await at.session()
    bet = (new_id() + "№ü賭🎰 +&/%" * 20)[:128]
    (await session.pay_in(bet, "1")).expect(1)
    (await session.provider.state(bet)).expect(1, state="open", betId=bet)


@exact("Endpoints")
async def unknown_fields_are_ignored(at: Stage) -> None:
    """Unknown fields are ignored, whatever they hold."""
    more = ',"x":null,"y":{"betAmount":[1.5,{"z":-0}]},"betamount":"a","":true'
    (await (await at.session()).post("pay-in-out", body(new_id(), more=more))).expect(1)


@exact(TYPES)
async def optional_fields_may_be_null(at: Stage) -> None:
    """`gameRoundId` and `winOdd` may be null."""
    more = ',"gameRoundId":null,"winOdd":null'
    (await (await at.session()).post("pay-in-out", body(new_id(), more=more))).expect(1)


@exact(TYPES)
async def an_odd_has_up_to_18_decimals(at: Stage) -> None:
    """`winOdd` may have 18 decimals, and with 19 it is refused with 2."""
    session = await at.session()
    odd = "1.000000000000000001"
    (await session.post("pay-in-out", body(new_id(), more=f',"winOdd":{odd}'))).expect(1)
    await refused(session, body(new_id(), more=f',"winOdd":{odd[:-1]}01'))


#: Spellings of amounts that are taken, and what they are.
TAKEN = [
    ("a_number_is_an_amount", "A JSON number is an amount.", "1.25", "1.25"),
    ("a_string_is_an_amount", "A decimal string is an amount.", '"1.25"', "1.25"),
    ("a_number_may_have_an_exponent", "A JSON number may have an exponent.", "15E-1", "1.5"),
    ("a_string_may_have_an_exponent", "A string may have an exponent.", '"1e-2"', "0.01"),
    ("trailing_zeros_do_not_count", "Trailing zeros are no decimals.", "1.5000000", "1.5"),
    ("leading_zeros_of_a_string_do_not_count", "A string may begin with 0.", '"007.5"', "7.5"),
]
#: Spellings of a stake that are refused with code 2.
REFUSED = [
    ("too_many_decimals", "more decimals than the currency has", "0.001"),
    ("a_negative_amount", "an amount below zero", "-1"),
    ("minus_zero", "`-0`", "-0"),
    ("an_amount_of_10_to_the_15", "an amount of 10^15", "1000000000000000"),
    ("a_boolean_amount", "a boolean", "true"),
    ("a_null_amount", "null", "null"),
    ("a_nested_amount", "a list or an object", "[1]"),
    ("not_a_number", "`NaN`", "NaN"),
    ("infinity", "`Infinity`", "Infinity"),
    ("an_empty_string", "an empty string", '""'),
    ("a_sign_before_a_string", "a string that begins with a sign", '"+1"'),
    ("a_space_in_a_string", "a string with a space", '" 1"'),
    ("an_underscore_in_a_string", "a string with an underscore", '"1_0"'),
    ("a_point_without_digits", "a point without digits on both sides", '".5"'),
    ("digits_of_another_script", "digits that are not ASCII", '"\u0663"'),
    ("an_exponent_above_30", "an exponent of more than 30", '"0e31"'),
]
#: Bodies that are refused with code 2. `{}` is a new betId.
BODIES = [
    ("a_list", "that is not an object", '[{{"betId":"{}"}}]'),
    ("no_json", "that is not JSON", "betId={}&betAmount=1&winAmount=0"),
    ("a_missing_bet_id", "without `betId`", '{{"betAmount":1,"winAmount":0}}'),
    ("a_missing_stake", "without `betAmount`", '{{"betId":"{}","winAmount":0}}'),
    ("a_missing_win", "without `winAmount`", '{{"betId":"{}","betAmount":1}}'),
    (
        "a_key_given_twice",
        "in which a key is given twice",
        '{{"betId":"{}","betAmount":1,"betAmount":1,"winAmount":0}}',
    ),
    (
        "more_than_16_levels",
        "with more than 16 levels",
        '{{"betId":"{}","betAmount":1,"winAmount":0,"x":' + "[" * 17 + "]" * 17 + "}}",
    ),
    ("an_empty_bet_id", "with an empty `betId`", '{{"betId":"","betAmount":1,"winAmount":0}}'),
    (
        "a_bet_id_of_129_code_points",
        "with a `betId` of 129 code points",
        '{{"betId":"' + "x" * 129 + '","betAmount":1,"winAmount":0}}',
    ),
    (
        "a_control_character_in_a_bet_id",
        "with a control character in its `betId`",
        '{{"betId":"{}\\u0000","betAmount":1,"winAmount":0}}',
    ),
    (
        "a_lone_surrogate_in_a_bet_id",
        "with a lone surrogate in its `betId`",
        '{{"betId":"{}\\ud800","betAmount":1,"winAmount":0}}',
    ),
    (
        "a_round_finished_that_is_no_boolean",
        "with a `roundFinished` that is not true, false or null",
        '{{"betId":"{}","betAmount":1,"winAmount":0,"roundFinished":"true"}}',
    ),
    (
        "a_bet_id_that_is_no_integer",
        "with a `betId` that is a number with decimals",
        '{{"betId":1.5,"betAmount":1,"winAmount":0}}',
    ),
]


@exact(TYPES)
async def a_body_that_is_not_utf_8_is_refused(at: Stage) -> None:
    """A body that is not UTF-8 is refused with code 2."""
    await refused(
        await at.session(), body(new_id(), more=',"x":"\u00ff"').decode().encode("latin-1")
    )


@exact(TYPES)
async def an_empty_body_is_refused(at: Stage) -> None:
    """A call about a bet without a body is refused with code 2."""
    await refused(await at.session(), b"")


async def _is_taken(spelling: str, amount: str, at: Stage) -> None:
    await taken_as(await at.session(), spelling, amount)


async def _is_refused(spelling: str, at: Stage) -> None:
    await refused(await at.session(), body(new_id(), spelling))


async def _body_is_refused(text: str, at: Stage) -> None:
    await refused(await at.session(), text.format(new_id()).encode())


for _name, _promise, _spelling, _amount in TAKEN:
    table("exactness", TYPES, _name, _promise, partial(_is_taken, _spelling, _amount))
for _name, _what, _spelling in REFUSED:
    _promise = f"An amount that is {_what} is refused with code 2, and nothing is applied."
    table("exactness", TYPES, f"{_name}_is_refused", _promise, partial(_is_refused, _spelling))
for _name, _what, _text in BODIES:
    _promise = f"A body {_what} is refused with code 2, and nothing is applied."
    table("exactness", TYPES, f"{_name}_is_refused", _promise, partial(_body_is_refused, _text))
