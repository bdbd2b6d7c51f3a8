"""A `betId` stands for one bet for ever: what repeats it, and what is a conflict with it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.service.support.refusals import (
    assert_refused,
    beside,
    bets_of,
    block,
    close,
    expire,
    planted,
    suspend,
)
from tests.service.support.world import PlayerSession, World


@pytest.mark.parametrize("other", [{"stake": 2}, {"win": 1}, {"stake": "0.99"}])
@pytest.mark.parametrize("stake", [1, 2000], ids=["settled", "rejected"])
def test_the_same_bet_with_other_amounts_is_a_conflict(
    world: World, player: PlayerSession, stake: int, other: dict[str, Any]
) -> None:
    player.pay_in_out(stake, 0, betId="a")
    before = world.balance(player), bets_of(world, player)

    answer = player.pay_in_out(**({"stake": stake, "win": 0} | other), betId="a")

    assert_refused(answer, 7, balance=before[0])
    assert (world.balance(player), bets_of(world, player)) == before


def test_a_bet_of_another_account_is_a_conflict_and_shows_its_askers_own_balance(
    world: World, player: PlayerSession
) -> None:
    first = player.pay_in_out(1, 5, betId="a")
    neighbour = world.open_session(player.client, "300")
    in_dollars = beside(world, player, "20", currency="USD")
    assert in_dollars.account_id != player.account_id

    for stranger, balance in ((neighbour, 300), (in_dollars, 20)):
        assert_refused(stranger.pay_in_out(1, 5, betId="a"), 7, balance)

    assert player.pay_in_out(1, 5, betId="a").body == first.body
    assert len(bets_of(world, player)) == 1


def test_the_same_bet_id_at_another_provider_is_another_bet(
    world: World, player: PlayerSession
) -> None:
    first = player.pay_in_out(1, betId="a")

    other = world.open_session(world.provider()).pay_in_out(2, betId="a")

    assert (first.code, other.code) == (1, 1)
    assert first.body["betTransactionId"] != other.body["betTransactionId"]


def test_an_odd_that_changes_or_a_round_that_is_not_named_is_no_conflict_and_the_first_stays(
    world: World, player: PlayerSession
) -> None:
    first = player.pay_in_out(1, betId="a", gameRoundId="r", winOdd="1.5")

    for fields in ({}, {"gameRoundId": "r", "winOdd": 2}, {"gameRoundId": None}):
        assert player.pay_in_out("1.00", "0e0", betId="a", **fields).body == first.body

    provider = world.provider_row(player.client)
    kept = world.rows("select round_id, odd from bet where provider_id = %s", provider)
    assert kept == [("r", Decimal("1.5"))]


@pytest.mark.parametrize("end", [close, expire, block, suspend])
def test_a_settled_bet_is_answered_again_after_its_session_or_permission_ended(
    world: World, end: Callable[[World, PlayerSession], None]
) -> None:
    player = world.open_session(world.provider(), max_bet="1000")
    first = player.pay_in_out(1000, 0, betId="a")
    late = beside(world, player, min_bet="2000")
    end(world, player)

    for asked in (player, late):
        assert asked.pay_in_out(1000, 0, betId="a").body == first.body
        assert_refused(asked.pay_in_out(999, 0, betId="a"), 7, balance=0)

    assert first.code == 1
    assert bets_of(world, player) == [("settled", None, 1000, 2)]


@pytest.mark.parametrize(
    ("opened_by", "state", "amounts"),
    [
        ("pay_in", "open", (1, None)),
        ("pay_in", "settled", (1, 0)),
        ("pay_in", "refunded", (1, 0)),
        ("pay_in", "rejected", (1, None)),
        ("pay_in_out", "refunded", (1, 0)),
        ("refund", "cancelled", (None, None)),
    ],
)
def test_a_bet_that_another_call_has_brought_into_its_state_is_a_conflict(
    world: World,
    player: PlayerSession,
    opened_by: str,
    state: str,
    amounts: tuple[int | None, int | None],
) -> None:
    with planted(world, player, opened_by, state, amounts) as bet_id:
        before = bets_of(world, player)

        assert_refused(player.pay_in_out(1, 0, betId=bet_id), 7, balance=1000)

        assert bets_of(world, player) == before
        assert world.balance(player) == 1000
