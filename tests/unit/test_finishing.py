"""What a call that finishes its round adds to its decision, and when it adds nothing."""

from dataclasses import replace

import pytest

from models.commands import BetCommand, PayIn, PayInOut, PayOut
from models.ledger.rules import CLOSED_MAX, TableRow, decide
from models.ledger.state import Bet, BetState, Round
from tests.unit.test_bet_table import Situation, recorded_bet, situations, stage

CALLS_OF_A_WIN = [(TableRow.OPEN, PayOut), (TableRow.NOT_RECORDED, PayInOut)]


@pytest.mark.parametrize(("row", "call"), CALLS_OF_A_WIN)
@pytest.mark.parametrize("was_finished", [False, True])
def test_a_call_that_finishes_its_round_settles_what_is_open_in_it_and_at_most_so_many(
    row: TableRow, call: type[BetCommand], was_finished: bool
) -> None:
    bet, account, session, command = stage(Situation(row, call, staked=row is TableRow.OPEN))
    its_round = Round((7, 1, "round"), finished=was_finished)
    for number in range(CLOSED_MAX + 3):
        other = replace(_open_bet(), bet_id=f"other {number}")
        its_round.bets[other.bet_id] = other
    settled, own = its_round.bets["other 1"], replace(_open_bet(), bet_id="b")
    settled.state = BetState.SETTLED  # by an earlier command of the batch
    its_round.bets = {"b": own} | its_round.bets

    plain = decide(bet, account, session, command, of_round=its_round)
    finishing = replace(command, round_finished=True)
    decision = decide(bet, account, session, finishing, of_round=its_round)

    closed = [other for other in its_round.bets.values() if other not in (settled, own)]
    assert decision.code == plain.code == 1
    assert decision.moves == plain.moves
    assert decision.closes == tuple(closed[:CLOSED_MAX])
    assert decision.finishes is not was_finished
    assert (plain.closes, plain.finishes) == ((), False)


def test_a_repeat_writes_nothing_unless_it_finishes_something_more() -> None:
    bet, account, session, command = stage(Situation(TableRow.SETTLED_BY_TWO, PayOut))
    command = replace(command, round_finished=True)
    finished, unfinished = Round((7, 1, "round"), finished=True), Round((7, 1, "round"))

    assert decide(bet, account, session, command, of_round=finished).is_repeatable
    assert not decide(bet, account, session, command, of_round=unfinished).is_repeatable
    finished.bets["other"] = _open_bet()
    assert not decide(bet, account, session, command, of_round=finished).is_repeatable


def test_a_refused_call_finishes_nothing_in_any_row_under_any_condition() -> None:
    refused = 0
    for situation in situations():
        if situation.call not in (PayOut, PayInOut):
            continue
        bet, account, session, command = stage(situation)
        its_round = Round((7, 1, "round"), situation.late)
        its_round.bets["other"] = _open_bet()
        command = replace(command, round_finished=True)

        decision = decide(bet, account, session, command, of_round=its_round)

        done = decision.code == 1
        refused += not done
        assert (len(decision.closes), decision.finishes) == (done, done and not situation.late)
    assert refused


def _open_bet() -> Bet:
    bet = recorded_bet(TableRow.OPEN, PayIn)
    assert bet is not None
    return replace(bet, bet_id="other")
