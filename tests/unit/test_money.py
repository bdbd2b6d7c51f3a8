"""Amounts: read exactly, refused strictly by the rule, written as plain numbers."""

import re
import time
from decimal import Decimal, Inexact
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import InvalidRequest
from models.money import JsonNumber, add, plain, read_amount, require_decimals, subtract

DECIMALS = st.integers(0, 18)
LIMIT = 10**15

#: What JSON calls a number, and what PROTOCOL.md lets an amount's string hold.
JSON_NUMBER = re.compile(r"(-)?(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?", re.ASCII)
AMOUNT_STRING = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?", re.ASCII)


@st.composite
def amounts(draw: st.DrawFn) -> tuple[Decimal, int]:
    """A legal amount, and a number of decimals that it fits in."""
    decimals = draw(DECIMALS)
    units = draw(st.integers(0, LIMIT * 10**decimals - 1))
    return Decimal(f"{units}e-{decimals}"), decimals


@st.composite
def spellings(draw: st.DrawFn, amount: Decimal) -> str:
    """One of the many ways to write an amount as a JSON number."""
    shift = draw(st.integers(-12, 12))
    sign, digits, power = amount.as_tuple()
    text = f"{Decimal((sign, digits, int(power) - shift)):f}"
    if "." in text or draw(st.booleans()):
        text = (text if "." in text else f"{text}.0") + "0" * draw(st.integers(0, 40))
    exponent = draw(st.sampled_from(["e", "E"])) + draw(st.sampled_from(["", "+", "0", "+00"]))
    if shift < 0:
        exponent = exponent[0] + "-" + draw(st.sampled_from(["", "0", "00"]))
    return f"{text}{exponent}{abs(shift)}" if shift or draw(st.booleans()) else text


@given(st.data())
def test_every_amount_is_read_exactly_however_it_is_spelled(data: st.DataObject) -> None:
    amount, decimals = data.draw(amounts())
    spelling = data.draw(spellings(amount))
    zeros = "0" * data.draw(st.integers(0, 3))

    as_number = read_amount(JsonNumber(spelling), "betAmount", decimals)
    as_string = read_amount(zeros + spelling, "betAmount", decimals)

    for read in (as_number, as_string):
        assert type(read) is Decimal
        assert Fraction(read) == Fraction(amount)


@given(amounts())
def test_an_amount_is_written_as_one_plain_number_that_reads_as_itself(
    drawn: tuple[Decimal, int],
) -> None:
    amount, decimals = drawn

    text = plain(amount)

    assert re.fullmatch(r"0|[1-9][0-9]*|(0|[1-9][0-9]*)\.[0-9]*[1-9]", text)
    assert read_amount(JsonNumber(text), "betAmount", decimals) == amount
    assert plain(read_amount(text, "betAmount", decimals)) == text


def allowed(match: re.Match[str] | None, decimals: int, exponent_max: int | None) -> bool:
    """The rule of PROTOCOL.md in other words: by fractions, without any Decimal."""
    if match is None:
        return False
    whole, fraction, exponent = match.groups()[-3:]
    power = int(exponent or 0)
    if exponent_max is not None and abs(power) > exponent_max:
        return False
    fraction = fraction or ""
    value = Fraction(int(whole + fraction)) * Fraction(10) ** (power - len(fraction))
    return value < LIMIT and (value * 10**decimals).denominator == 1


def accepts(value: object, decimals: int) -> bool:
    try:
        read_amount(value, "betAmount", decimals)
    except InvalidRequest:
        return False
    return True


@given(st.text("0123456789.eE+-_ \n\u0663\uff11", max_size=12), DECIMALS)
@example("1e", 18)
@example("1e+", 18)
@example("1.", 18)
@example(".5", 18)
@example("+1", 18)
@example("1e030", 18)
@example("0e31", 18)
@example("1\n", 18)
def test_a_string_is_accepted_exactly_when_the_rule_allows_it(text: str, decimals: int) -> None:
    match = AMOUNT_STRING.fullmatch(text)
    assert accepts(text, decimals) == allowed(match, decimals, 30)


@given(st.from_regex(JSON_NUMBER, fullmatch=True).filter(lambda t: len(t) < 60), DECIMALS)
@example("-0", 18)
@example("-0.0", 18)
@example("1e400", 18)
@example("1e-31", 18)
@example("1000000000000000", 18)
@example("999999999999999.999999999999999999", 18)
@example("999999999999999.9999999999999999999", 18)
def test_a_number_is_accepted_exactly_when_the_rule_allows_it(text: str, decimals: int) -> None:
    match = JSON_NUMBER.fullmatch(text)
    assert match is not None
    power, is_zero = int(match[4] or 0), not int(match[2] + (match[3] or ""))

    if abs(power) <= 5_000:
        fine = match[1] is None and allowed(match, decimals, None)
        assert accepts(JsonNumber(text), decimals) == fine
    else:  # more than a fraction could hold; a zero may be refused here
        assert is_zero or not accepts(JsonNumber(text), decimals)


@pytest.mark.parametrize("power", [31, 400, 9_999_999, 10**18, 10**30])
@pytest.mark.parametrize("sign", ["", "-"])
def test_no_exponent_is_too_long_to_be_refused(power: int, sign: str) -> None:
    for value in (JsonNumber(f"1e{sign}{power}"), f"1e{sign}{power}"):
        with pytest.raises(InvalidRequest, match="betAmount"):
            read_amount(value, "betAmount")


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
)
def test_nothing_but_a_json_number_or_a_string_is_an_amount(value: object) -> None:
    assert not accepts(value, 18)


@pytest.mark.parametrize(
    "value",
    [
        "1e" + "0" * 16_000 + "x",
        "1e" + "0" * 16_000 + "1",
        "1" * 16_000,
        "0" * 16_000 + ".x",
        "1" * 8_000 + "." + "1" * 8_000,
        JsonNumber("0." + "1" * 16_000),
        JsonNumber("9" * 16_000),
        JsonNumber("1e-" + "9" * 16_000),
    ],
    ids=lambda value: f"{value[:3]}...{value[-3:]}",
)
def test_a_long_amount_costs_no_time_to_speak_of(value: str) -> None:
    began = time.process_time()

    accepts(value, 18)

    assert time.process_time() - began < 0.3


BALANCES = st.integers(0, 10**48).map(lambda units: Decimal(f"{units}e-18"))


@given(BALANCES, amounts())
def test_a_sum_is_exact_however_far_apart_its_parts_are(
    balance: Decimal, drawn: tuple[Decimal, int]
) -> None:
    amount, _ = drawn

    assert Fraction(add(balance, amount)) == Fraction(balance) + Fraction(amount)
    assert subtract(add(balance, amount), amount) == balance


def test_what_cannot_be_held_exactly_raises_and_is_never_rounded() -> None:
    with pytest.raises(Inexact):
        add(Decimal(10) ** 60, Decimal("0.1"))
    with pytest.raises(Inexact):
        subtract(Decimal(10) ** 60, Decimal("0.1"))


@pytest.mark.parametrize(
    ("amount", "decimals"),
    [("0.10", 1), ("5.000", 0), ("1E+3", 0), ("0.00000001", 8), ("0E-30", 0)],
)
def test_trailing_zeros_are_no_decimals(amount: str, decimals: int) -> None:
    assert require_decimals(Decimal(amount), decimals, "it") == Decimal(amount)


@pytest.mark.parametrize(("amount", "decimals"), [("0.11", 1), ("0.5", 0), ("1E-9", 8)])
def test_more_decimals_than_a_currency_has_are_refused_by_name(amount: str, decimals: int) -> None:
    with pytest.raises(InvalidRequest, match=r"^it may have at most"):
        require_decimals(Decimal(amount), decimals, "it")
