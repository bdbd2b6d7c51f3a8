"""Refusals of a new bet by session, limits, player and provider, and what they record."""

import secrets
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.service.support.refusals import (
    assert_refused,
    bets_of,
    block,
    suspend,
)
from tests.service.support.traces import assert_no_trace
from tests.service.support.world import PlayerSession, World

Change = Callable[[World, PlayerSession], None]


def test_a_session_nobody_opened_is_3_and_leaves_no_trace(
    world: World, player: PlayerSession
) -> None:
    nowhere = PlayerSession(player.client, secrets.token_hex(16), player.account_id)

    answer = nowhere.pay_in_out(1)

    assert_refused(answer, 3, balance=None)
    assert_no_trace(world, player, answer.body["requestId"])


def test_a_session_of_another_provider_is_3_for_a_bet_that_either_of_them_has(
    world: World, player: PlayerSession
) -> None:
    player.pay_in_out(1, betId="mine")
    other = world.open_session(world.provider())
    other.pay_in_out(1, betId="theirs")
    trespasser = PlayerSession(other.client, player.session_id, player.account_id)

    for bet_id in ("mine", "theirs", "new"):
        assert_refused(trespasser.pay_in_out(1, betId=bet_id), 3, balance=None)

    assert (len(bets_of(world, player)), len(bets_of(world, other))) == (1, 1)
    assert world.balance(player) == world.balance(other) == 999


@pytest.mark.parametrize(
    ("min_bet", "max_bet", "stake", "code"),
    [
        ("1", "10", "0.99", 5),
        ("1", "10", "1", 1),
        ("1", "10", "10", 1),
        ("1", "10", "10.01", 5),
        ("1", "10", "0", 1),  # a free round
        ("1", None, "0.01", 5),
        ("1", None, "1000", 1),
        (None, "10", "0.01", 1),
        (None, "10", "10.01", 5),
        ("5", "5", "5.00", 1),
        (None, "0", "0", 1),
        (None, "0", "0.01", 5),
    ],
)
def test_a_stake_must_be_within_the_limits_of_its_session_unless_it_is_zero(
    world: World, min_bet: str | None, max_bet: str | None, stake: str, code: int
) -> None:
    player = world.open_session(world.provider(), min_bet=min_bet, max_bet=max_bet)

    answer = player.pay_in_out(stake, "100")

    if code == 1:
        assert answer.code == 1
        assert bets_of(world, player) == [("settled", None, Decimal(stake), 2)]
    else:
        assert_refused(answer, 5, balance=1000)
        assert bets_of(world, player) == [("rejected", 5, Decimal(stake), 0)]


@pytest.mark.parametrize("forbid", [block, suspend])
def test_a_blocked_player_or_suspended_provider_may_not_bet_not_even_zero(
    world: World, player: PlayerSession, forbid: Change
) -> None:
    player.pay_in_out(1)  # so that nothing of it has to be looked up any more
    forbid(world, player)

    for stake in (0, 1):
        assert_refused(player.pay_in_out(stake), 5, balance=999)

    assert bets_of(world, player)[1:] == [("rejected", 5, 0, 0), ("rejected", 5, 1, 0)]
