"""Amounts: accepted to the last digit or refused with code 2, however they are written."""

from decimal import Decimal

import pytest

from tests.service.support.bodies import assert_refused, assert_taken, body
from tests.service.support.world import PlayerSession, World

# Other things than numbers, and what only some readers of JSON take for one.
NO_NUMBERS = "NaN Infinity -Infinity true false null {} [1] 01 1. .5 +1 0x1 1e 1_0 1,0 \u0663 ''"
# Below zero, too large, and with more decimals than EUR has.
NUMBERS = """
    -1 -0 -0.0 -0e9 -1e-400 1e400 1e15 1000000000000000 1E+2000000000 1e9999999999999999999
    0.001 1.999 1e-3 1e-31 1e-400 1e-9999999 1e-2000000000 1e-9999999999999999999
"""
STRINGS = """
    "" "1_0" "+1" "-1" "-0" "1,0" "1." ".5" "." "1e" "1e+" "e1" "1e1.5" "1e1e1" "1.1.1" "0x1" "NaN"
    "Infinity" "true" "null" "\u0663" "\uff11" "1\\u0000" "1\\n" "\\u00a01" "1e31" "0e31" "0e-31"
    "1e-31" "1e400" "1e15" "1000000000000000" "0.001" "1e-3"
"""
NO_AMOUNTS = [
    *(NO_NUMBERS + NUMBERS + STRINGS).split(),
    '{"a":1}',
    '" 1"',
    '"1 "',
    '"1 0"',
    "9" * 5_000,
    "0." + "3" * 5_000,
    "1e" + "9" * 5_000,
    "1e-" + "9" * 5_000,
    '"' + "9" * 5_000 + '"',
    '"1e' + "0" * 15_000 + 'x"',
]


def shown(spelling: str) -> str:
    return spelling if len(spelling) < 30 else f"{spelling[:4]}...{len(spelling)}"


@pytest.mark.parametrize("spelling", NO_AMOUNTS, ids=shown)
def test_what_is_no_amount_is_refused_as_a_stake_and_as_a_win(
    world: World, player: PlayerSession, spelling: str
) -> None:
    assert_refused(world, player, body(betAmount=spelling), body(winAmount=spelling))


@pytest.mark.parametrize("spelling", ["NaN", "-1", "-0", "true", "[]", '""', '" 1"', '"1e31"'])
def test_what_is_no_odd_is_refused(world: World, player: PlayerSession, spelling: str) -> None:
    assert_refused(world, player, body(winOdd=spelling))


@pytest.mark.parametrize("missing", ["betId", "betAmount", "winAmount"])
def test_a_required_field_that_is_missing_is_refused(
    world: World, player: PlayerSession, missing: str
) -> None:
    assert_refused(world, player, body().replace(missing.encode(), b"unknown"))


@pytest.mark.parametrize(
    ("spelling", "amount"),
    [
        ("1", "1"),
        ('"1"', "1"),
        ("1.50", "1.5"),
        ('"007.50"', "7.5"),
        ("1E+2", "100"),
        ('"1E+2"', "100"),
        ("1e-2", "0.01"),
        ('"0.1e-1"', "0.01"),
        ('"1e-002"', "0.01"),
        ("100000e-5", "1"),
        ("0", "0"),
        ("0e0", "0"),
        ('"0.000e0"', "0"),
        ("0.0000000000000000000000000000000000000000", "0"),
        ("0e-99999", "0"),
        ("2.5" + "0" * 5_000, "2.5"),
        ('"1' + "0" * 30 + 'e-30"', "1"),
        ("0.1", "0.1"),  # none of the three is what a binary float makes of it
        ("0.07", "0.07"),
        ('"0.29"', "0.29"),
    ],
    ids=shown,
)
def test_an_amount_is_booked_to_the_last_digit_however_it_is_written(
    world: World, player: PlayerSession, spelling: str, amount: str
) -> None:
    assert_taken(player, body(betId='"stake"', betAmount=spelling))
    answer = assert_taken(
        player, body(betId='"win"', betAmount="0", winAmount=spelling, winOdd="3")
    )

    assert answer.body["balance"] == Decimal(1000)
    assert world.rows(
        "select kind, amount from transfer where account = %s and amount > 0 and kind <> 'deposit'"
        " order by account_seq",
        player.account_id,
    ) == [(kind, Decimal(amount)) for kind in ("stake", "win") if Decimal(amount)]


@pytest.mark.parametrize(
    ("currency", "decimals"), [("JPY", 0), ("EUR", 2), ("KWD", 3), ("D8", 8), ("D18", 18)]
)
@pytest.mark.parametrize("quote", ["", '"'], ids=["number", "string"])
def test_every_currency_takes_its_smallest_unit_and_nothing_smaller(
    world: World, currency: str, decimals: int, quote: str
) -> None:
    if currency.startswith("D"):
        currency = world.currency(f"TEST{decimals}", decimals)
    player = world.open_session(world.provider(), currency=currency)
    unit, less = Decimal(f"1e-{decimals}"), Decimal(f"1e-{decimals + 1}")

    assert_refused(world, player, body(betAmount=f"{quote}{less:f}{quote}"))
    answer = assert_taken(player, body(betAmount=f"{quote}{unit:f}{quote}", winAmount="0.00"))

    assert answer.body["balance"] == world.balance(player) == Decimal(1000) - unit


@pytest.mark.parametrize("spelling", ["1.000000000000000001", '"11.05"', "0", "null"])
def test_an_odd_is_kept_to_the_last_digit(
    world: World, player: PlayerSession, spelling: str
) -> None:
    assert_taken(player, body(winOdd=spelling))

    [(odd,)] = world.rows(
        "select odd from bet where provider_id = %s", world.provider_row(player.client)
    )
    assert odd == (None if spelling == "null" else Decimal(spelling.strip('"')))
