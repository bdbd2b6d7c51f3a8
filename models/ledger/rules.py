"""Every money rule. `decide` says what a command does, from loaded state alone: no I/O, no clock.

`TABLE` is the table of PROTOCOL.md, "What each call does". It has a row for each thing a bet can
be, and a column for each call. Each cell is a function of `models.ledger.bet_cells`.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from models.codes import Code
from models.commands import BetCommand, CashCommand, Deposit, PayIn, PayInOut, PayOut, Refund
from models.ledger import bet_cells as cells
from models.ledger.bet_cells import CONFLICT, Case, Decision
from models.ledger.state import Account, Bet, BetState, Booked, Kind, OpenedBy, Session
from models.reason import Reason


class Row(StrEnum):
    """What a bet can be: the rows of the table."""

    NOT_RECORDED = "not recorded"
    OPEN = "open"
    SETTLED_BY_TWO = "settled by pay-in + pay-out"
    SETTLED_BY_ONE = "settled by pay-in-out"
    REJECTED = "rejected"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


_STATES: Final = {
    BetState.OPEN: Row.OPEN,
    BetState.REJECTED: Row.REJECTED,
    BetState.REFUNDED: Row.REFUNDED,
    BetState.CANCELLED: Row.CANCELLED,
}


def decide(
    bet: Bet | None, account: Account | None, session: Session | None, call: BetCommand
) -> Decision:
    """Decide a call about a bet, from the bet as recorded, the locked account and the session.

    Two rules precede the table. A session that is unknown or another provider's is 3 for every
    call. A bet of another account is 7.
    """
    if (
        session is None
        or account is None
        or session.provider_id != call.provider_id
        or session.account_id != account.id
    ):
        return Decision(Code.SESSION_CLOSED, reason=Reason.SESSION_UNKNOWN)
    if bet is not None and bet.account_id != account.id:
        return CONFLICT
    cell = TABLE[row_of(bet)][type(call)]
    return cell(Case(bet, account, session, call))


def decide_cash(
    booked: Booked | None, account: Account, command: CashCommand, *, refused: bool = False
) -> Decision:
    """Decide a deposit or withdrawal, given what its reference already stands for.

    `refused` means that this very order was refused, which is final. Another order for the
    reference may succeed.
    """
    kind = Kind.DEPOSIT if isinstance(command, Deposit) else Kind.WITHDRAWAL
    if booked is not None:
        first = (booked.kind, booked.account_id, booked.amount)
        same = first == (kind, command.account_id, command.amount)
        return Decision(Code.DONE, (kind,)) if same else CONFLICT
    if refused or (kind is Kind.WITHDRAWAL and command.amount > account.balance):
        return Decision(Code.INSUFFICIENT_FUNDS)
    return Decision(Code.DONE, (kind,), ((kind, command.amount),))


def row_of(bet: Bet | None) -> Row:
    """The row of the table to which a bet belongs."""
    if bet is None:
        return Row.NOT_RECORDED
    if bet.state is BetState.SETTLED:
        by_one = bet.opened_by is OpenedBy.PAY_IN_OUT
        return Row.SETTLED_BY_ONE if by_one else Row.SETTLED_BY_TWO
    return _STATES[bet.state]


Cell = Callable[[Case], Decision]

COLUMNS: Final = (PayIn, PayInOut, PayOut, Refund)

# fmt: off - the columns are aligned, as in the document.
_ROWS: Final[dict[Row, tuple[Cell, Cell, Cell, Cell]]] = {
    #                    pay-in              pay-in-out          pay-out           refund
    Row.NOT_RECORDED: (cells.take, cells.take_and_pay, cells.not_found, cells.tombstone),
    Row.OPEN: (cells.repeat_stake, cells.conflict, cells.pay, cells.give_back),
    Row.SETTLED_BY_TWO: (cells.repeat_stake, cells.conflict, cells.repeat_win, cells.reverse),
    Row.SETTLED_BY_ONE: (cells.conflict, cells.repeat_both, cells.conflict, cells.reverse),
    Row.REJECTED: (cells.refuse_again, cells.refuse_again, cells.not_found, cells.mark),
    Row.REFUNDED: (cells.conflict, cells.conflict, cells.conflict, cells.same_refund),
    Row.CANCELLED: (cells.conflict, cells.conflict, cells.conflict, cells.same_refund),
}
# fmt: on

TABLE: Final[dict[Row, dict[type[BetCommand], Cell]]] = {
    row: dict(zip(COLUMNS, of_row, strict=True)) for row, of_row in _ROWS.items()
}
