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
from tests.service.support.world import Seat, World

Change = Callable[[World, Seat], None]

NEW_BETS: dict[str, dict[str, Any]] = {"pay-in": {}, "pay-in-out": {"winAmount": 5}}


@pytest.fixture(autouse=True, scope="module")
def memory(world: World) -> None:
    world.wait_for_memory()


@pytest.mark.parametrize("call", NEW_BETS)
def test_the_checks_on_a_new_bet_are_in_this_order_ended_allowed_limits_balance(
    world: World, call: str
) -> None:
    seat = world.seat(world.provider(), "5", max_bet="10")
    live = beside(world, seat, max_bet="10")
    for forbid in (close, block, suspend):
        forbid(world, seat)

    def code(of: Seat, stake: int) -> int:
        answer = of.call(call, uuid.uuid4().hex, betAmount=stake, **NEW_BETS[call])
        assert answer.body["balance"] == world.balance(seat)
        return answer.code

    assert [code(seat, 20), code(seat, 1)] == [3, 3]
    assert [code(live, 20), code(live, 1)] == [5, 5]
    unblock(world, seat)
    assert [code(live, 20), code(live, 1)] == [5, 5]
    resume(world, seat)
    assert [code(live, 20), code(live, 7), code(live, 1)] == [5, 4, 1]


@pytest.mark.parametrize("call", NEW_BETS)
def test_a_refusal_never_changes(world: World, call: str) -> None:
    seat = world.seat(world.provider(), "5", max_bet="10")
    again = beside(world, seat)
    fields = NEW_BETS[call]
    assert seat.call(call, "no money", betAmount=6, **fields).code == 4
    assert seat.call(call, "limits", betAmount=11, **fields).code == 5
    block(world, seat)
    assert seat.call(call, "blocked", betAmount=1, **fields).code == 5
    unblock(world, seat)
    beside(world, seat, "500")

    for _ in range(2):
        for bet_id, stake, code in (("no money", 6, 4), ("limits", 11, 5), ("blocked", 1, 5)):
            assert_refused(again.call(call, bet_id, betAmount=stake, **fields), code, balance=505)
            assert_refused(again.call(call, bet_id, betAmount=1.5, **fields), 7, balance=505)
            assert again.call("refund", bet_id).code == 1  # leaves it rejected
            assert seat.client.status(bet_id).body["refusedWith"] == code


@pytest.mark.parametrize("end", [close, expire])
@pytest.mark.parametrize("call", NEW_BETS)
def test_a_refusal_because_the_session_ended_is_not_recorded(
    world: World, seat: Seat, call: str, end: Change
) -> None:
    end(world, seat)

    assert_refused(seat.call(call, "a", betAmount=1, **NEW_BETS[call]), 3, balance=1000)

    assert seat.client.status("a").body["state"] == "unknown"
    assert beside(world, seat).call(call, "a", betAmount=2, **NEW_BETS[call]).code == 1


@pytest.mark.parametrize("row", ["not recorded", "rejected by pay-in", "rejected by pay-in-out"])
def test_a_pay_out_for_a_bet_that_was_never_accepted_is_6_and_not_recorded(
    world: World, seat: Seat, row: str
) -> None:
    bet_id = bet_in(row, seat)
    rows = bets_of(world, seat)

    for _ in range(2):
        assert_refused(seat.call("pay-out", bet_id, winAmount=25), 6, balance=1000)

    assert bets_of(world, seat) == rows
    assert row != "not recorded" or seat.call("pay-in", bet_id, betAmount=1).code == 1


@pytest.mark.parametrize("late", ["pay-in", "pay-in-out", "pay-out"])
def test_a_refund_of_an_unknown_bet_is_a_tombstone_and_all_that_comes_late_is_7(
    world: World, seat: Seat, late: str
) -> None:
    buried = seat.call("refund", "a")

    for amount in (10, 0):
        assert_refused(seat.call(late, "a", betAmount=amount, winAmount=amount), 7, balance=1000)

    assert buried.code == 1
    assert seat.call("refund", "a").body == buried.body
    assert bets_of(world, seat) == [("cancelled", None, None, 1)]
