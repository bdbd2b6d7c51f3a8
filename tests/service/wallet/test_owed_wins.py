"""A win without a stake is owed like any win: which checks apply to it, and which do not."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.service.support.bet_rows import RECORDED, bet_in
from tests.service.support.ledger_world import apply, ledger_on, new_players
from tests.service.support.refusals import (
    assert_refused,
    beside,
    bets_of,
    block,
    close,
    expire,
    planted,
    resume,
    suspend,
)
from tests.service.support.world import PlayerSession, World

Change = Callable[[World, PlayerSession], None]

#: Spellings of a stake of nothing.
NOTHING = [0, "0", "0.00", "0e5"]


@pytest.fixture(autouse=True, scope="module")
def memory(world: World) -> None:
    world.wait_for_memory()


@pytest.mark.parametrize(
    "against",
    [[], [close], [expire], [block], [close, block]],
    ids=["nothing", "closed", "expired", "blocked", "closed and blocked"],
)
@pytest.mark.parametrize("limits", [{}, {"min_bet": "5", "max_bet": "10"}, {"max_bet": "0"}])
def test_a_win_without_a_stake_is_paid_when_the_session_ended_and_to_a_blocked_player(
    world: World, against: list[Change], limits: dict[str, Any]
) -> None:
    player = world.open_session(world.provider(), "0", **limits)
    for bring_about in against:
        bring_about(world, player)

    for count, stake in enumerate(NOTHING, start=1):
        bet_id = uuid.uuid4().hex
        first = player.pay_in_out(stake, "500.25", betId=bet_id)
        again = player.pay_in_out(0, "500.250", betId=bet_id)

        assert (first.status, first.code) == (200, 1), first.body
        assert again.body == first.body
        assert world.balance(player) == first.body["balance"] == count * Decimal("500.25")
    assert [row[0] for row in bets_of(world, player)] == ["settled"] * len(NOTHING)
    assert world.balance(player) == 2001


@pytest.mark.parametrize("also", [[], [close], [expire], [block]])
def test_while_its_provider_is_suspended_it_is_5_and_paid_under_the_same_bet_id_afterwards(
    world: World, player: PlayerSession, also: list[Change]
) -> None:
    for bring_about in (suspend, *also):
        bring_about(world, player)

    for _ in range(2):
        refused = player.pay_in_out(0, 70, betId="prize")
        assert_refused(refused, 5, balance=1000, reason="provider_suspended")
    assert bets_of(world, player) == []
    assert player.client.status("prize").body["state"] == "unknown"
    resume(world, player)
    paid = player.pay_in_out(0, 70, betId="prize")

    assert (paid.code, paid.body["balance"]) == (1, 1070)
    assert player.pay_in_out(0, 70, betId="prize").body == paid.body


@pytest.mark.parametrize(
    ("end", "code"),
    [(close, 3), (expire, 3), (block, 5), (suspend, 5)],
)
def test_a_stake_of_nothing_that_wins_nothing_stays_checked(
    world: World, player: PlayerSession, end: Change, code: int
) -> None:
    end(world, player)

    answers = [
        player.call("pay-in", "a", betAmount=0),
        player.pay_in_out(0, 0, betId="b"),
        player.pay_in_out("0.01", 500, betId="c"),
    ]

    for answer in answers:
        assert_refused(answer, code, balance=1000)
    assert len(bets_of(world, player)) == (0 if code == 3 else 3)


def test_a_session_that_is_unknown_or_another_providers_refuses_it_all_the_same(
    world: World, player: PlayerSession
) -> None:
    other = world.open_session(world.provider())
    nowhere = PlayerSession(player.client, "nowhere", player.account_id)
    theirs = PlayerSession(player.client, other.session_id, player.account_id)

    for session in (nowhere, theirs):
        refused = session.pay_in_out(0, 70)
        assert_refused(refused, 3, balance=None, reason="session_unknown")


def test_one_that_was_rejected_before_stays_what_it_is(world: World, player: PlayerSession) -> None:
    with planted(world, player, "pay_in_out", "rejected", (0, 70)) as bet_id:
        assert_refused(player.pay_in_out(0, 70, betId=bet_id), 5, balance=1000, reason=None)
        assert_refused(player.pay_in_out(0, 71, betId=bet_id), 7, balance=1000)


@pytest.mark.parametrize("row", RECORDED)
@pytest.mark.parametrize("against", [[], [close], [block], [suspend]])
def test_it_opens_a_bet_and_never_another_one(
    world: World, player: PlayerSession, row: str, against: list[Change]
) -> None:
    bet_id = bet_in(row, player)
    for bring_about in against:
        bring_about(world, player)
    before = world.balance(player), bets_of(world, player)

    assert_refused(player.pay_in_out(0, 25, betId=bet_id), 7, balance=before[0])

    assert (world.balance(player), bets_of(world, player)) == before


def test_it_is_refunded_as_every_bet_is_and_cannot_be_paid_after_that(
    world: World, player: PlayerSession
) -> None:
    close(world, player)
    player.pay_in_out(0, 70, betId="prize")

    refunded = player.call("refund", "prize")
    player.call("refund", "buried")

    assert (refunded.code, refunded.body["balance"]) == (1, 1000)
    assert_refused(player.pay_in_out(0, 70, betId="prize"), 7, balance=1000)
    assert_refused(beside(world, player).pay_in_out(0, 70, betId="buried"), 7, balance=1000)


def test_what_was_not_recorded_is_not_said_when_no_reply_comes(ledger_world: World) -> None:
    [player] = new_players(ledger_world, "10")
    ledger_world.execute(
        "update provider set status = 'suspended' where id = %s", player.provider_id
    )
    prize, other = player.bet(0, 70), player.bet(0, 70)
    [refused] = apply(ledger_world, prize)
    with ledger_on(ledger_world) as fresh:
        before = fresh.recorded([prize, other])
        ledger_world.execute(
            "update provider set status = 'active' where id = %s", player.provider_id
        )
        [paid] = apply(ledger_world, prize)
        after = fresh.recorded([prize, other])

    assert (refused.code, paid.code) == (5, 1)
    assert before == [None, None]
    assert after == [paid, None]
