"""Commands: read from a body or refused by name, and unchanged by the queue."""

import json
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.codes import Code
from models.commands import (
    COMMANDS,
    BetCommand,
    CashCommand,
    Deposit,
    PayIn,
    PayInOut,
    Place,
    Refund,
    read_text,
)
from models.errors import InvalidRequest
from models.money import JsonNumber
from models.outcome import Outcome
from models.reason import Reason

PLACE = Place(
    provider_id=7,
    session_id="a-session",
    account_id=42,
    decimals=2,
    currency="EUR",
    player="anna",
)
BODY: dict[str, object] = {"betId": "a", "betAmount": JsonNumber("10.5"), "winAmount": "55.25"}

TEXTS = st.text(
    st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=128
)  # what a betId may be
AMOUNTS = st.integers(0, 10**17 - 1).map(lambda cents: Decimal(f"{cents}e-2"))
ODDS = st.none() | st.integers(0, 10**33 - 1).map(lambda units: Decimal(f"{units}e-18"))


def pay_in_out(**fields: object) -> PayInOut:
    return PayInOut.read(BODY | fields, PLACE)


def test_a_body_and_the_place_of_its_session_become_a_command() -> None:
    command = pay_in_out(gameRoundId="r", winOdd=JsonNumber("11.05"), unknown=[None])

    assert command == PayInOut(
        provider_id=7,
        session_id="a-session",
        account_id=42,
        bet_id="a",
        round_id="r",
        stake=Decimal("10.5"),
        win=Decimal("55.25"),
        odd=Decimal("11.05"),
    )


@given(TEXTS, st.none() | TEXTS, AMOUNTS, AMOUNTS, ODDS, st.none() | TEXTS, st.booleans())
def test_a_command_is_the_same_behind_the_queue(
    bet_id: str,
    round_id: str | None,
    stake: Decimal,
    win: Decimal,
    odd: Decimal | None,
    game: str | None,
    finishes: bool,
) -> None:
    fields = {"betId": bet_id, "gameRoundId": round_id, "betAmount": str(stake), "gameId": game}
    more = {"winAmount": JsonNumber(str(win)), "winOdd": odd and f"{odd:f}"}
    sent = pay_in_out(**fields, **more, roundFinished=finishes)

    received = PayInOut.from_job(json.loads(json.dumps(sent.to_job())))

    assert received == sent
    assert (received.bet_id, received.round_id) == (bet_id, round_id)
    assert (received.stake, received.win, received.odd) == (stake, win, odd)
    assert (received.game, received.round_finished) == (game, finishes)


@given(TEXTS, AMOUNTS.filter(bool))
def test_a_deposit_is_the_same_behind_the_queue(reference: str, amount: Decimal) -> None:
    sent = Deposit.read(42, reference, str(amount), 2)

    received = Deposit.from_job(json.loads(json.dumps(sent.to_job())))

    assert received == sent == Deposit(42, reference, amount)


@pytest.mark.parametrize("name", ["betId", "betAmount", "winAmount"])
def test_a_required_field_that_is_missing_or_null_is_refused_by_name(name: str) -> None:
    without = {key: value for key, value in BODY.items() if key != name}

    with pytest.raises(InvalidRequest, match=f"^{name} is missing"):
        PayInOut.read(without, PLACE)
    with pytest.raises(InvalidRequest, match=f"^{name} must be"):
        pay_in_out(**{name: None})


@pytest.mark.parametrize("call", [PayIn, Refund])
def test_only_a_call_with_a_win_finishes_a_round(call: type[BetCommand]) -> None:
    said = call.read(BODY | {"roundFinished": "unknown here"}, PLACE)

    assert said == call.read(BODY, PLACE)
    with pytest.raises(TypeError, match="finishes a round"):
        call.from_job(said.to_job() | {"finishes": "r"})


def test_a_worker_that_knows_no_finished_rounds_cannot_read_a_command_that_finishes_one() -> None:
    values = pay_in_out(gameRoundId="r", roundFinished=True).to_job()

    assert "round" not in values  # the release before reads it, and fails with a KeyError
    assert values["finishes"] == "r"


def test_the_game_of_the_body_is_kept_where_the_session_names_none_and_must_agree_otherwise() -> (
    None
):
    of_session = PLACE._replace(game="slots")

    assert pay_in_out(gameId=JsonNumber("17")).game == "17"
    assert PayInOut.read(BODY | {"gameId": "slots"}, of_session).game is None
    assert PayInOut.read(BODY | {"gameId": None}, of_session).game is None
    for other in ("Slots", "slots ", JsonNumber("17")):
        with pytest.raises(InvalidRequest, match="gameId"):
            PayInOut.read(BODY | {"gameId": other}, of_session)


def test_optional_fields_may_be_missing_or_null() -> None:
    more = {"gameId": None, "roundFinished": None}
    assert pay_in_out(gameRoundId=None, winOdd=None, **more) == pay_in_out(roundFinished=False)
    assert (pay_in_out().round_id, pay_in_out().odd) == (None, None)


@pytest.mark.parametrize("value", [JsonNumber("1"), JsonNumber("0"), "true", "", [], {}, ["NaN"]])
def test_a_round_that_is_finished_neither_truly_nor_not_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^roundFinished must be true or false\.$"):
        pay_in_out(roundFinished=value)


@pytest.mark.parametrize(
    "name", ["betId", "gameRoundId", "betAmount", "winAmount", "winOdd", "gameId"]
)
@pytest.mark.parametrize("value", [True, False, [], ["1"], {}, {"a": "1"}, ["NaN"], ""])
def test_a_field_of_another_type_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match=f"^{name} "):
        pay_in_out(**{name: value})


@pytest.mark.parametrize("name", ["betAmount", "winAmount"])
@pytest.mark.parametrize("kind", [str, JsonNumber])
def test_an_amount_may_have_the_decimals_of_its_currency_and_no_more(
    name: str, kind: Callable[[str], str]
) -> None:
    assert pay_in_out(**{name: kind("0.010")}) == pay_in_out(**{name: kind("0.01")})
    with pytest.raises(InvalidRequest, match=f"^{name} may have at most 2 decimals"):
        pay_in_out(**{name: kind("0.001")})


def test_an_odd_may_have_eighteen_decimals_whatever_the_currency_has() -> None:
    assert pay_in_out(winOdd="1.000000000000000001").odd == Decimal("1.000000000000000001")
    with pytest.raises(InvalidRequest, match=r"^winOdd may have at most 18 decimals"):
        pay_in_out(winOdd="1.0000000000000000001")


@given(st.text(max_size=140) | st.text(st.characters(), max_size=4))
@example("a" * 128)
@example("a" * 129)
@example("\U0001f600" * 128)
@example("\x7f")
@example("\x85")
@example("\ud83d")
def test_a_text_is_accepted_exactly_when_the_rule_allows_it(text: str) -> None:
    unreadable = {unicodedata.category(character) for character in text} & {"Cc", "Cs"}

    if 1 <= len(text) <= 128 and not unreadable:
        assert read_text(text, "betId") == text
    else:
        with pytest.raises(InvalidRequest, match=r"^betId "):
            read_text(text, "betId")


@given(st.integers() | st.integers(-(10**140), 10**140))
@example(10**128 - 1)
@example(10**128)
def test_a_whole_number_is_taken_as_its_text(number: int) -> None:
    text = str(number)

    if len(text) <= 128:
        assert read_text(JsonNumber(text), "betId") == text
        assert type(read_text(JsonNumber(text), "betId")) is str
    else:
        with pytest.raises(InvalidRequest, match="1 to 128"):
            read_text(JsonNumber(text), "betId")


@pytest.mark.parametrize("number", ["1.0", "1e3", "0.5", "1E0"])
def test_a_number_that_is_not_written_as_a_whole_one_is_no_text(number: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^betId must be text"):
        read_text(JsonNumber(number), "betId")


@pytest.mark.parametrize("function", COMMANDS)
def test_what_the_queue_carries_is_no_command_when_a_value_is_of_another_type(
    function: str,
) -> None:
    command = COMMANDS[function]
    read = command.from_job
    sent = _sent_by(command)

    strange: list[Any] = [True, 1.5, [], {}]
    for name in sent:
        for value in strange:
            with pytest.raises((TypeError, InvalidRequest)):
                read(sent | {name: value})
        with pytest.raises(KeyError):
            read({key: value for key, value in sent.items() if key != name})


def test_what_the_queue_carries_is_what_the_version_before_reads_and_writes() -> None:
    """Gateways and workers are replaced one at a time, so both versions share a queue."""
    names = {"provider", "session", "account", "bet", "round", "stake", "win", "odd"}

    assert set(pay_in_out(currency="EUR", userId="anna").to_job()) == names
    assert set(Outcome(Code.DONE, Decimal(5), (8,)).to_json()) == {"code", "balance", "ids"}
    refused = Outcome(Code.NOT_ALLOWED, Decimal(5), (), Reason.ABOVE_LIMIT).to_json()
    assert json.loads(json.dumps(refused)) == {
        "code": 5,
        "balance": "5",
        "ids": [],
        "reason": "above_limit",
    }


@pytest.mark.parametrize("place", [PLACE, PLACE._replace(currency="FIM", player="17")])
def test_a_body_may_claim_what_is_so_and_nothing_else(place: Place) -> None:
    user = JsonNumber("17") if place.player == "17" else "anna"
    true = {"currency": place.currency, "userId": user}

    assert PayInOut.read(BODY | true, place) == PayInOut.read(BODY, place)
    for false in ({"currency": "USD"}, {"currency": JsonNumber("978")}, {"userId": "ben"}):
        with pytest.raises(InvalidRequest, match=f"^The {next(iter(false))} in the body"):
            PayInOut.read(BODY | true | false, place)


def _sent_by(command: type[BetCommand] | type[CashCommand]) -> dict[str, Any]:
    """What a command of this kind carries through the queue."""
    if issubclass(command, CashCommand):
        return command.read(42, "r", "1", 2).to_job()
    body = {"betId": "b", "betAmount": "1", "winAmount": "2"}
    return command.read(body, PLACE).to_job()
