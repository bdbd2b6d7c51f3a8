"""A `betId` stands for one bet for ever: what counts as a repeat, and what as a conflict."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.service.support.refusals import (
    assert_refused,
    beside,
    bets_of,
    block,
    close,
    expire,
    suspend,
)
from tests.service.support.world import PlayerSession, World


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
