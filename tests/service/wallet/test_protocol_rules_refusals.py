"""PROTOCOL.md, "What each call does": what is refused, in which order, and for how long."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.service.support.bet_rows import bet_in
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
from tests.service.support.world import PlayerSession, World

Change = Callable[[World, PlayerSession], None]

NEW_BETS: dict[str, dict[str, Any]] = {"pay-in": {}, "pay-in-out": {"winAmount": 5}}


@pytest.fixture(autouse=True, scope="module")
def memory(world: World) -> None:
    world.wait_for_memory()


@pytest.mark.parametrize("call", NEW_BETS)
def test_the_checks_on_a_new_bet_are_in_this_order_ended_allowed_limits_balance(
    world: World, call: str
) -> None:
    player = world.open_session(world.provider(), "5", max_bet="10")
    live = beside(world, player, max_bet="10")
    for forbid in (close, block, suspend):
        forbid(world, player)

    def code(of: PlayerSession, stake: int) -> int:
        answer = of.call(call, uuid.uuid4().hex, betAmount=stake, **NEW_BETS[call])
        assert answer.body["balance"] == world.balance(player)
        return answer.code

    assert [code(player, 20), code(player, 1)] == [3, 3]
    assert [code(live, 20), code(live, 1)] == [5, 5]
    unblock(world, player)
    assert [code(live, 20), code(live, 1)] == [5, 5]
    resume(world, player)
    assert [code(live, 20), code(live, 7), code(live, 1)] == [5, 4, 1]


@pytest.mark.parametrize("call", NEW_BETS)
def test_a_refusal_never_changes(world: World, call: str) -> None:
    player = world.open_session(world.provider(), "5", max_bet="10")
    again = beside(world, player)
    fields = NEW_BETS[call]
    assert player.call(call, "no money", betAmount=6, **fields).code == 4
    assert player.call(call, "limits", betAmount=11, **fields).code == 5
    block(world, player)
    assert player.call(call, "blocked", betAmount=1, **fields).code == 5
    unblock(world, player)
    beside(world, player, "500")

    for _ in range(2):
        for bet_id, stake, code in (("no money", 6, 4), ("limits", 11, 5), ("blocked", 1, 5)):
            assert_refused(again.call(call, bet_id, betAmount=stake, **fields), code, balance=505)
            assert_refused(again.call(call, bet_id, betAmount=1.5, **fields), 7, balance=505)
            assert again.call("refund", bet_id).code == 1  # leaves it rejected
            assert player.client.status(bet_id).body["refusedWith"] == code


@pytest.mark.parametrize("end", [close, expire])
@pytest.mark.parametrize("call", NEW_BETS)
def test_a_refusal_because_the_session_ended_is_not_recorded(
    world: World, player: PlayerSession, call: str, end: Change
) -> None:
    end(world, player)

    assert_refused(player.call(call, "a", betAmount=1, **NEW_BETS[call]), 3, balance=1000)

    assert player.client.status("a").body["state"] == "unknown"
    assert beside(world, player).call(call, "a", betAmount=2, **NEW_BETS[call]).code == 1


@pytest.mark.parametrize("row", ["not recorded", "rejected by pay-in", "rejected by pay-in-out"])
def test_a_pay_out_for_a_bet_that_was_never_accepted_is_6_and_not_recorded(
    world: World, player: PlayerSession, row: str
) -> None:
    bet_id = bet_in(row, player)
    rows = bets_of(world, player)

    for _ in range(2):
        assert_refused(player.call("pay-out", bet_id, winAmount=25), 6, balance=1000)

    assert bets_of(world, player) == rows
    assert row != "not recorded" or player.call("pay-in", bet_id, betAmount=1).code == 1


@pytest.mark.parametrize("late", ["pay-in", "pay-in-out", "pay-out"])
def test_a_refund_of_an_unknown_bet_is_a_tombstone_and_all_that_comes_late_is_7(
    world: World, player: PlayerSession, late: str
) -> None:
    buried = player.call("refund", "a")

    for amount in (10, 0):
        assert_refused(player.call(late, "a", betAmount=amount, winAmount=amount), 7, balance=1000)

    assert buried.code == 1
    assert player.call("refund", "a").body == buried.body
    assert bets_of(world, player) == [("cancelled", None, None, 1)]
