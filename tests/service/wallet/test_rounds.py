"""A bet belongs to one round: its stake cannot be used in another round."""

from typing import Any

import pytest

from tests.service.support.ledger_world import apply, ledger_on, new_players
from tests.service.support.refusals import assert_refused, beside, bets_of, block
from tests.service.support.world import PlayerSession, World

TAKES: dict[str, dict[str, Any]] = {
    "pay-in": {"betAmount": 10},
    "pay-in-out": {"betAmount": 10, "winAmount": 5},
}


@pytest.mark.parametrize("call", TAKES)
def test_a_repeat_that_names_another_round_is_7_and_moves_nothing(
    world: World, player: PlayerSession, call: str
) -> None:
    first = player.call(call, "a", **TAKES[call], gameRoundId="r1")
    before = world.balance(player), bets_of(world, player)

    for other in ("r2", "R1", "r1 ", 1):
        refused = player.call(call, "a", **TAKES[call], gameRoundId=other)
        assert_refused(refused, 7, balance=before[0])

    for same in ({"gameRoundId": "r1"}, {"gameRoundId": None}, {}):
        assert beside(world, player).call(call, "a", **TAKES[call], **same).body == first.body
    assert (world.balance(player), bets_of(world, player)) == before


def test_a_stake_that_is_paid_out_is_not_played_again_in_another_round(
    player: PlayerSession,
) -> None:
    player.call("pay-in", "a", betAmount=10, gameRoundId="r1")
    assert player.call("pay-out", "a", winAmount=0, gameRoundId="r1").code == 1

    assert_refused(player.call("pay-in", "a", betAmount=10, gameRoundId="r2"), 7, balance=990)
    assert player.call("pay-in", "a", betAmount=10, gameRoundId="r1").code == 1


@pytest.mark.parametrize("call", TAKES)
def test_where_only_one_of_the_two_names_a_round_they_are_the_same(
    world: World, player: PlayerSession, call: str
) -> None:
    first = player.call(call, "a", **TAKES[call])

    for named in ("r1", "r2"):
        assert player.call(call, "a", **TAKES[call], gameRoundId=named).body == first.body

    rounds = "select round_id from bet where provider_id = %s"
    assert world.rows(rounds, world.provider_row(player.client)) == [(None,)]


def test_a_round_that_is_a_whole_number_is_its_text(player: PlayerSession) -> None:
    assert player.call("pay-in", "a", betAmount=1, gameRoundId=17).code == 1
    assert player.call("pay-in", "a", betAmount=1, gameRoundId="17").code == 1
    assert player.call("pay-in", "a", betAmount=1, gameRoundId="017").code == 7


@pytest.mark.parametrize("call", TAKES)
def test_a_rejected_bet_is_of_one_round_too(world: World, player: PlayerSession, call: str) -> None:
    block(world, player)
    assert_refused(player.call(call, "a", **TAKES[call], gameRoundId="r1"), 5, balance=1000)

    assert_refused(player.call(call, "a", **TAKES[call], gameRoundId="r2"), 7, balance=1000)
    assert_refused(player.call(call, "a", **TAKES[call], gameRoundId="r1"), 5, balance=1000)
    assert_refused(player.call(call, "a", **TAKES[call]), 5, balance=1000)


def test_pay_out_and_refund_may_name_any_round_and_the_first_stays(
    world: World, player: PlayerSession
) -> None:
    player.call("pay-in", "a", betAmount=10, gameRoundId="r1")

    for call, fields in (("pay-out", {"winAmount": 5}), ("refund", {})):
        first = player.call(call, "a", **fields, gameRoundId="r2")
        assert first.code == 1
        assert player.call(call, "a", **fields, gameRoundId="r3").body == first.body

    rounds = "select round_id from bet where provider_id = %s"
    assert world.rows(rounds, world.provider_row(player.client)) == [("r1",)]


def test_two_rounds_in_one_batch_are_seen_and_without_a_reply_the_record_says_7(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "100")
    first, second = player.bet(10, 0, "a", round_id="r1"), player.bet(10, 0, "a", round_id="r2")

    outcomes = apply(ledger_world, first, second, first)
    with ledger_on(ledger_world) as fresh:
        said = fresh.recorded([first, second])

    assert [outcome.code for outcome in outcomes] == [1, 7, 1]
    assert [outcome.code for outcome in said if outcome] == [1, 7]
