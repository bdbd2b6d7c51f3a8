"""`betcore ledger verify` on bets: the table of PROTOCOL.md, also where no call gets there yet."""

import pytest

from models.audit.verify import Report
from tests.service.support.ledger_copy import LedgerCopy, Moves

REFUND_OF_SETTLED = [("stake", "10"), ("win", "20"), ("refund", "10"), ("win_reversal", "20")]


@pytest.mark.parametrize(
    ("opened_by", "state", "stake", "win", "moves"),
    [
        ("pay_in", "open", "10", None, [("stake", "10")]),
        ("pay_in", "open", "0", None, [("stake", "0")]),
        ("pay_in", "settled", "10", "0", [("stake", "10"), ("win", "0")]),
        ("pay_in", "refunded", "10", None, [("stake", "10"), ("refund", "10")]),
        ("pay_in", "refunded", "10", "20", REFUND_OF_SETTLED),
        ("pay_in", "rejected", "10", None, []),
        ("pay_in", "rejected", "10", None, [("refund", "0")]),
        ("pay_in_out", "settled", "10", "20", [("stake", "10"), ("win", "20")]),
        ("pay_in_out", "refunded", "10", "20", REFUND_OF_SETTLED),
        ("pay_in_out", "rejected", "10", "20", []),
        ("pay_in_out", "rejected", "10", "20", [("refund", "0")]),
        ("refund", "cancelled", None, None, [("refund", "0")]),
    ],
)
def test_every_way_a_bet_may_go_is_ok(
    ledger_copy: LedgerCopy,
    opened_by: str,
    state: str,
    stake: str | None,
    win: str | None,
    moves: Moves,
) -> None:
    ledger_copy.bet(20, opened_by, state, stake, win)
    ledger_copy.move(21, 20, moves)

    assert ledger_copy.verified() == Report(
        transfers=5 + len(moves), accounts=3, problems=(), more=0
    )


@pytest.mark.parametrize(
    ("opened_by", "state", "stake", "win", "moves", "problem"),
    [
        ("pay_in", "open", "10", None, [], "has the transfers [], but should have [stake 10]."),
        ("pay_in", "open", "10", None, [("stake", "9.5")], "[stake 9.5], but should have"),
        ("pay_in", "settled", "10", "5", [("stake", "10")], "[stake 10], but should have"),
        ("pay_in_out", "settled", "10", "5", REFUND_OF_SETTLED, "should have [stake 10, win 5]."),
        ("pay_in", "refunded", "10", None, [("stake", "10")], "have [refund 10, stake 10]."),
        (
            *("pay_in_out", "refunded", "10", "20", REFUND_OF_SETTLED[:3]),
            "should have [refund 10, stake 10, win 20, win_reversal 20].",
        ),
        ("pay_in_out", "rejected", "10", "20", [("stake", "10")], "but should have []."),
        ("pay_in", "rejected", "10", None, [("refund", "1")], "[refund 1], but should have []."),
        ("refund", "cancelled", None, None, [], "[], but should have [refund 0]."),
        ("refund", "cancelled", None, None, [("refund", "1")], "[refund 1], but should have"),
        ("pay_in_out", "open", "10", None, [("stake", "10")], "opened by pay_in_out can."),
        (
            "pay_in",
            "open",
            "10",
            "5",
            [("stake", "10")],
            "the win 5, which no bet opened by",
        ),
        ("refund", "settled", None, "5", [("win", "5")], "the stake none and the win 5, which no"),
        (
            "pay_in",
            "cancelled",
            "10",
            None,
            [("refund", "0")],
            "which no bet opened by",
        ),
    ],
)
def test_every_way_a_bet_may_not_go_is_named(
    ledger_copy: LedgerCopy,
    opened_by: str,
    state: str,
    stake: str | None,
    win: str | None,
    moves: Moves,
    problem: str,
) -> None:
    ledger_copy.bet(20, opened_by, state, stake, win)
    ledger_copy.move(21, 20, moves)

    (found,) = ledger_copy.verified().problems

    assert found.startswith(f'Bet row 20 ("b20", {state} by {opened_by}) ')
    assert problem in found
