"""PROTOCOL.md, rules 2, 3 and 9: what is taken, paid and owed, and the ids of the transfers."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.service.support.bet_rows import CALLS, RECORDED, bet_in, follow
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
from tests.service.wallet.wallet_checks import ids_of

Change = Callable[[World, PlayerSession], None]


@pytest.fixture(autouse=True, scope="module")
def memory(world: World) -> None:
    world.wait_for_memory()


def test_a_zero_stake_is_legal_and_outside_the_minimum(world: World) -> None:
    player = world.open_session(world.provider(), "0", min_bet="5")

    free = player.call("pay-in", "a", betAmount=0)
    won = player.call("pay-out", "a", winAmount="2.5")
    at_once = player.call("pay-in-out", "b", betAmount="0.00", winAmount=1)

    assert [free.code, won.code, at_once.code] == [1, 1, 1]
    assert_refused(player.call("pay-in", "c", betAmount="0.01"), 5, balance="3.5")


def test_a_pay_out_of_zero_is_a_lost_bet(player: PlayerSession) -> None:
    bet_id = bet_in("open", player)

    lost = player.call("pay-out", bet_id, winAmount=0)

    assert (lost.code, lost.body["balance"]) == (1, 990)
    assert_refused(player.call("pay-out", bet_id, winAmount=1), 7, balance=990)
    assert player.client.status(bet_id).body["state"] == "settled"


@pytest.mark.parametrize("end", [close, expire, block, suspend])
def test_the_money_is_owed_after_the_session_ended_for_the_blocked_and_the_suspended(
    world: World, player: PlayerSession, end: Change
) -> None:
    bets = {row: bet_in(row, player) for row in ("open", *RECORDED)}
    to_settle = bet_in("open", player)
    before = world.balance(player)
    end(world, player)

    paid = player.call("pay-out", to_settle, winAmount=25)
    assert (paid.code, paid.body["balance"]) == (1, before + 25)
    for row, bet_id in bets.items():
        assert follow(row, "refund", player, bet_id).code == 1
        assert player.client.status(bet_id).code == 1
    assert player.call("refund", "unknown").code == 1
    assert player.balance().body["balance"] == world.balance(player)


def test_the_balance_must_cover_the_stake_before_the_win_and_it_is_both_transfers_or_none(
    world: World,
) -> None:
    player = world.open_session(world.provider(), "10")

    refused = player.call("pay-in-out", "a", betAmount="10.01", winAmount=500)
    taken = player.call("pay-in-out", "b", betAmount=10, winAmount=500)

    assert_refused(refused, 4, balance=10)
    assert (taken.code, taken.body["balance"]) == (1, 500)
    assert bets_of(world, player) == [
        ("rejected", 4, Decimal("10.01"), 0),
        ("settled", None, 10, 2),
    ]


@pytest.mark.parametrize(
    ("row", "call", "kinds"),
    [
        ("not recorded", "pay-in", ["stake"]),
        ("open", "pay-out", ["win"]),
        ("not recorded", "pay-in-out", ["stake", "win"]),
        ("not recorded", "refund", ["refund"]),
        ("rejected by pay-in", "refund", ["refund"]),
        ("open", "refund", ["refund"]),
    ],
)
def test_every_id_in_an_answer_of_1_names_a_transfer_and_for_no_money_one_of_zero(
    world: World, player: PlayerSession, row: str, call: str, kinds: list[str]
) -> None:
    bet_id = "a"
    amounts = {"betAmount": 0, "winAmount": 0}
    if row == "open":
        player.call("pay-in", bet_id, betAmount=0)
    elif row != "not recorded":
        player.call("pay-in", bet_id, betAmount=2000)

    answer = player.call(call, bet_id, **amounts)

    assert list(ids_of(answer)) == kinds
    for kind, id_ in ids_of(answer).items():
        moved = world.rows("select kind, amount, balance_after from transfer where id = %s", id_)
        assert moved == [(kind, 0, 1000)]


@pytest.mark.parametrize("row", ["settled by pay-in + pay-out", "settled by pay-in-out"])
def test_a_reversal_writes_two_transfers_and_its_id_is_the_firsts(
    world: World, player: PlayerSession, row: str
) -> None:
    answer = player.call("refund", bet_in(row, player))

    first = ids_of(answer)["refund"]
    assert answer.body["balance"] == 1000
    assert world.rows(
        "select id, kind, amount, balance_after from transfer where account = %s"
        " and kind in ('refund', 'win_reversal') order by account_seq",
        player.account_id,
    ) == [(first, "refund", 10, 1025), (first + 1, "win_reversal", 25, 1000)]


@pytest.mark.parametrize("row", ["settled by pay-in + pay-out", "settled by pay-in-out"])
def test_a_reversal_that_the_balance_does_not_cover_is_7_and_a_later_one_may_succeed(
    world: World, row: str
) -> None:
    player = world.open_session(world.provider(), "10")
    bet_id = bet_in(row, player)
    before = player.client.status(bet_id).body
    player.call("pay-in", "spent", betAmount="10.01")  # of 25: 14.99 left, 15 needed

    for _ in range(2):
        assert_refused(player.call("refund", bet_id), 7, balance="14.99")
    assert player.client.status(bet_id).body == before
    beside(world, player, "0.01")
    reversed_ = player.call("refund", bet_id)

    assert (reversed_.code, reversed_.body["balance"]) == (1, 0)
    assert player.call("refund", bet_id).body == reversed_.body


def test_a_win_that_belongs_to_no_pay_in_comes_as_a_pay_in_out_with_stake_0(world: World) -> None:
    player = world.open_session(world.provider(), "0", min_bet="1")

    jackpot = player.call("pay-in-out", "jackpot 77", betAmount=0, winAmount="123456.78")

    assert (jackpot.code, jackpot.body["balance"]) == (1, Decimal("123456.78"))
    assert len(ids_of(jackpot)) == 2


@pytest.mark.parametrize("call", CALLS)
def test_the_balance_in_an_answer_is_the_present_one(
    world: World, player: PlayerSession, call: str
) -> None:
    row = {"pay-out": "settled by pay-in + pay-out", "refund": "refunded", "pay-in": "open"}
    bet_id = bet_in(row.get(call, "settled by pay-in-out"), player)
    for amount in ("0.01", "0.1"):
        beside(world, player, amount)

        answer = follow("open", call, player, bet_id)

        assert answer.code == 1
        assert answer.body["balance"] == world.balance(player) == player.balance().body["balance"]
