"""Refusals of the ledger: their order, what is recorded of them, and what they say for ever."""

import secrets
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
    resume,
    suspend,
    unblock,
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


@pytest.mark.parametrize("end", [close, expire])
def test_a_session_that_ended_takes_no_new_bet_and_records_none(
    world: World, player: PlayerSession, end: Change
) -> None:
    end(world, player)

    answer = player.pay_in_out(1, betId="a")

    assert_refused(answer, 3, balance=1000)
    assert bets_of(world, player) == []
    assert world.rows("select last_seq from account where id = %s", player.account_id) == [(1,)]
    assert beside(world, player).pay_in_out(1, betId="a").code == 1


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


def test_the_balance_must_cover_the_stake_before_the_win_is_added(
    world: World, player: PlayerSession
) -> None:
    assert_refused(player.pay_in_out("1000.01", "5000"), 4, balance=1000)
    assert player.pay_in_out("1000.00").body["balance"] == 0
    assert_refused(player.pay_in_out("0.01", "5000"), 4, balance=0)

    assert [(state, code) for state, code, *_ in bets_of(world, player)] == [
        ("rejected", 4),
        ("settled", None),
        ("rejected", 4),
    ]
    assert world.balance(player) == 0


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        ([close, block, suspend], 3),
        ([expire, suspend], 3),
        ([expire], 3),
        ([block], 5),
        ([suspend], 5),
        ([], 5),
    ],
)
def test_of_many_reasons_the_first_in_order_is_given(
    world: World, reasons: list[Change], code: int
) -> None:
    """The stake is always outside the limits and above the balance too."""
    player = world.open_session(world.provider(), "5", min_bet="1", max_bet="10")
    for bring_about in reasons:
        bring_about(world, player)

    assert_refused(player.pay_in_out(11), code, balance=5)

    assert bets_of(world, player) == ([] if code == 3 else [("rejected", 5, 11, 0)])


def deposit(world: World, player: PlayerSession) -> None:
    beside(world, player, "5000")


def nothing(world: World, player: PlayerSession) -> None:
    """Another session than the one that refused is the change."""


@pytest.mark.parametrize(
    ("forbid", "allow", "stake", "code"),
    [
        (nothing, deposit, "1000.01", 4),
        (block, unblock, "1", 5),
        (suspend, resume, "1", 5),
        (nothing, nothing, "0.50", 5),  # below the first session's minimum
    ],
)
def test_a_recorded_refusal_is_repeated_for_ever_even_when_its_reason_is_gone(
    world: World, forbid: Change, allow: Change, stake: str, code: int
) -> None:
    player = world.open_session(world.provider(), min_bet="1")
    forbid(world, player)
    first = player.pay_in_out(stake, betId="a")
    allow(world, player)
    later = beside(world, player)
    close(world, player)
    balance = world.balance(player)

    repeats = [
        player.pay_in_out(stake, betId="a"),
        later.pay_in_out(f"{stake}e0", "0.0", betId="a"),
    ]

    assert_refused(first, code, balance=1000)
    for repeat in repeats:
        assert_refused(repeat, code, balance)
    assert bets_of(world, player) == [("rejected", code, Decimal(stake), 0)]
    assert later.pay_in_out(stake, betId="b").code == 1
