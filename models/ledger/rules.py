"""Every money rule. `decide` says what a command does, from loaded state alone: no I/O, no clock.

`TABLE` is the table of docs/ARCHITECTURE.md, word for word. PROTOCOL.md has it for providers.
It has a row for each thing a bet can be, and a column for each call. Each cell is a function, whose
docstring is the text of the cell.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from models.codes import Code
from models.commands import BetCommand, CashCommand, Deposit, PayIn, PayInOut, PayOut, Refund
from models.ledger.state import Account, Bet, BetState, Booked, Kind, OpenedBy, Round, Session
from models.money import ZERO, add, subtract
from models.reason import Reason

#: The most bets that one call closes when it finishes a round.
CLOSED_MAX: Final = 100

#: The calls that may record a new bet.
OPENED_BY: Final = {PayIn: OpenedBy.PAY_IN, PayInOut: OpenedBy.PAY_IN_OUT, Refund: OpenedBy.REFUND}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command does: the code of its answer, and all that it writes, if anything.

    `answers` are the kinds of the transfers whose ids the answer names, in its order.
    """

    code: Code
    answers: tuple[Kind, ...] = ()
    moves: tuple[tuple[Kind, Decimal], ...] = ()
    records: BetState | None = None  # the state of the bet after this; None: unchanged
    lasts: bool = True  # whether a refusal is final, whatever balances become
    reason: Reason | None = None  # if the code is 3 or 5
    finishes: bool = False  # whether its round takes no new stake after this
    closes: tuple[Bet, ...] = ()  # other bets of the round, which are settled with a win of 0

    @property
    def is_repeatable(self) -> bool:
        """Whether it writes nothing, so that a reader may report it (PROTOCOL.md, rule 8)."""
        writes = self.moves or self.records is not None or self.finishes or self.closes
        return self.lasts and not writes


@dataclass(frozen=True, slots=True)
class Case:
    """All that a cell may look at. `bet` is None only in the row "not recorded"."""

    bet: Bet | None
    account: Account
    session: Session
    call: BetCommand
    won_today: Decimal = ZERO  # by all bets of the provider and currency; only if that is limited
    is_late: bool = False  # whether the call names a round that is finished

    @property
    def recorded(self) -> Bet:
        """The bet, in a row where there is one."""
        assert self.bet is not None  # noqa: S101 - the table chose this cell
        return self.bet


CONFLICT: Final = Decision(Code.BET_CONFLICT)


class TableRow(StrEnum):
    """What a bet can be: the rows of the table."""

    NOT_RECORDED = "not recorded"
    OPEN = "open"
    SETTLED_BY_TWO = "settled by pay-in + pay-out"
    SETTLED_BY_ONE = "settled by pay-in-out"
    REJECTED = "rejected"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


_STATES: Final = {
    BetState.OPEN: TableRow.OPEN,
    BetState.REJECTED: TableRow.REJECTED,
    BetState.REFUNDED: TableRow.REFUNDED,
    BetState.CANCELLED: TableRow.CANCELLED,
}


def decide(
    bet: Bet | None,
    account: Account | None,
    session: Session | None,
    call: BetCommand,
    won_today: Decimal = ZERO,
    of_round: Round | None = None,
) -> Decision:
    """Decide a call about a bet, from the bet as recorded, the locked account and the session.

    `won_today` is what the provider's bets in this currency have won today, if that has a limit.
    `of_round` is the round that `round_of` names. It may be left out unless it is finished or the
    call finishes it.

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
    is_late = of_round is not None and of_round.finished
    decision = cell(Case(bet, account, session, call, won_today, is_late))
    if call.round_finished and of_round is not None and decision.code is Code.DONE:
        others = of_round.open_besides(call.bet_id)[:CLOSED_MAX]
        return replace(decision, finishes=not of_round.finished, closes=tuple(others))
    return decision


def round_of(bet: Bet | None, call: BetCommand) -> str | None:
    """The round that a call is about: the one that it names, otherwise that of its bet."""
    return call.round_id if call.round_id is not None or bet is None else bet.round_id


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


def row_of(bet: Bet | None) -> TableRow:
    """The row of the table to which a bet belongs."""
    if bet is None:
        return TableRow.NOT_RECORDED
    if bet.state is BetState.SETTLED:
        by_one = bet.opened_by is OpenedBy.PAY_IN_OUT
        return TableRow.SETTLED_BY_ONE if by_one else TableRow.SETTLED_BY_TWO
    return _STATES[bet.state]


# The cells of the table.


def take(case: Case) -> Decision:
    """take → `open`; refused with 4 or 5 → `rejected`; with 3, or 7 in a finished round, not \
recorded"""
    stake = case.call.stake or ZERO
    return _refusal(case, stake) or Decision(
        Code.DONE, (Kind.STAKE,), ((Kind.STAKE, stake),), BetState.OPEN
    )


def take_and_pay(case: Case) -> Decision:
    """take and pay in one atomic step → `settled`; refusals as pay-in, and 5 for a win above a \
limit; a win without a stake is refused only for a suspension or a limit of wins: 5, not recorded"""
    stake, win = case.call.stake or ZERO, case.call.win or ZERO
    is_owed = stake == ZERO and win > ZERO
    return (_refusal_of_owed(case) if is_owed else _refusal(case, stake)) or Decision(
        Code.DONE,
        (Kind.STAKE, Kind.WIN),
        ((Kind.STAKE, stake), (Kind.WIN, win)),
        BetState.SETTLED,
    )


def pay(case: Case) -> Decision:
    """pay → `settled`; a win above a limit is refused: 5, not recorded, stays `open`"""
    win = case.call.win or ZERO
    above = _win_above(case)
    if above is not None:
        return Decision(Code.NOT_ALLOWED, lasts=False, reason=above)
    return Decision(Code.DONE, (Kind.WIN,), ((Kind.WIN, win),), BetState.SETTLED)


def give_back(case: Case) -> Decision:
    """give back → `refunded`"""
    stake = case.recorded.stake or ZERO
    return Decision(Code.DONE, (Kind.REFUND,), ((Kind.REFUND, stake),), BetState.REFUNDED)


def reverse(case: Case) -> Decision:
    """take the win back and give the stake back → `refunded`; 7 if balance + stake − win < 0"""  # noqa: RUF002
    stake, win = case.recorded.stake or ZERO, case.recorded.win or ZERO
    if subtract(add(case.account.balance, stake), win) < ZERO:
        return Decision(Code.BET_CONFLICT, lasts=False)
    moves = ((Kind.REFUND, stake), (Kind.WIN_REVERSAL, win))
    return Decision(Code.DONE, (Kind.REFUND,), moves, BetState.REFUNDED)


def tombstone(case: Case) -> Decision:  # noqa: ARG001
    """1, tombstone → `cancelled`"""
    return Decision(Code.DONE, (Kind.REFUND,), ((Kind.REFUND, ZERO),), BetState.CANCELLED)


def mark(case: Case) -> Decision:
    """1, a zero mark (a repeat gives the first mark's id), stays `rejected`"""
    marked = Kind.REFUND in case.recorded.ids
    return Decision(Code.DONE, (Kind.REFUND,), () if marked else ((Kind.REFUND, ZERO),))


def same_refund(case: Case) -> Decision:  # noqa: ARG001
    """1, the first id"""
    return Decision(Code.DONE, (Kind.REFUND,))


def repeat_stake(case: Case) -> Decision:
    """same data: 1; else 7"""
    same = case.recorded.stake == case.call.stake and _is_of_its_round(case)
    return Decision(Code.DONE, (Kind.STAKE,)) if same else CONFLICT


def repeat_win(case: Case) -> Decision:
    """same data: 1; else 7"""
    same = case.recorded.win == case.call.win
    return Decision(Code.DONE, (Kind.WIN,)) if same else CONFLICT


def repeat_both(case: Case) -> Decision:
    """same data: 1; else 7"""
    amounts = (case.recorded.stake, case.recorded.win)
    same = amounts == (case.call.stake, case.call.win) and _is_of_its_round(case)
    return Decision(Code.DONE, (Kind.STAKE, Kind.WIN)) if same else CONFLICT


def refuse_again(case: Case) -> Decision:
    """same call, same data: the recorded code, for ever; else 7"""
    bet, call = case.recorded, case.call
    first = (bet.opened_by, bet.stake, bet.win)
    same = first == (OPENED_BY[type(call)], call.stake, call.win) and _is_of_its_round(case)
    return (
        Decision(Code(bet.refused_with or Code.NOT_ALLOWED), reason=bet.reason)
        if same
        else CONFLICT
    )


def not_found(case: Case) -> Decision:  # noqa: ARG001
    """6, not recorded"""
    return Decision(Code.BET_NOT_FOUND)


def conflict(case: Case) -> Decision:  # noqa: ARG001
    """7"""
    return CONFLICT


def _refusal(case: Case, stake: Decimal) -> Decision | None:
    """The checks on a new bet, in the order of PROTOCOL.md. None means that it may be taken."""
    session = case.session
    if case.is_late:
        return CONFLICT
    if session.closed:
        return Decision(Code.SESSION_CLOSED, reason=Reason.SESSION_CLOSED)
    if session.expired:
        return Decision(Code.SESSION_CLOSED, reason=Reason.SESSION_EXPIRED)
    reason = _why_not_allowed(session, stake) or _win_above(case)
    if reason is not None:
        return Decision(Code.NOT_ALLOWED, records=BetState.REJECTED, reason=reason)
    if stake > case.account.balance:
        return Decision(Code.INSUFFICIENT_FUNDS, records=BetState.REJECTED)
    return None


def _why_not_allowed(session: Session, stake: Decimal) -> Reason | None:
    if session.player_blocked:
        return Reason.PLAYER_BLOCKED
    if session.provider_suspended:
        return Reason.PROVIDER_SUSPENDED
    if session.min_bet is not None and ZERO < stake < session.min_bet:
        return Reason.BELOW_LIMIT
    if session.max_bet is not None and stake > session.max_bet:
        return Reason.ABOVE_LIMIT
    return None


def _refusal_of_owed(case: Case) -> Decision | None:
    """The checks on a win without a stake. They record nothing, so that the win can come again.

    It is not `lasts`: once the provider is resumed, or the limit raised, the same bet is paid.
    """
    suspended = case.session.provider_suspended
    reason = Reason.PROVIDER_SUSPENDED if suspended else _win_above(case)
    return None if reason is None else Decision(Code.NOT_ALLOWED, lasts=False, reason=reason)


def _win_above(case: Case) -> Reason | None:
    """Which of the provider's limits the win is above, if any."""
    session, win = case.session, case.call.win
    if not win:
        return None
    if session.max_win is not None and win > session.max_win:
        return Reason.WIN_ABOVE_LIMIT
    most = session.max_daily_win
    if most is not None and add(case.won_today, win) > most:
        return Reason.WIN_ABOVE_DAILY_LIMIT
    return None


def _is_of_its_round(case: Case) -> bool:
    """Whether a repeat names the round of the first call, if both name one."""
    first, again = case.recorded.round_id, case.call.round_id
    return first is None or again is None or first == again


# The table.

Cell = Callable[[Case], Decision]

COLUMNS: Final = (PayIn, PayInOut, PayOut, Refund)

# The columns are aligned, as in the document.
# fmt: off
_ROWS: Final[dict[TableRow, tuple[Cell, Cell, Cell, Cell]]] = {
    #                          pay-in        pay-in-out    pay-out     refund
    TableRow.NOT_RECORDED:   (take,         take_and_pay, not_found,  tombstone),
    TableRow.OPEN:           (repeat_stake, conflict,     pay,        give_back),
    TableRow.SETTLED_BY_TWO: (repeat_stake, conflict,     repeat_win, reverse),
    TableRow.SETTLED_BY_ONE: (conflict,     repeat_both,  conflict,   reverse),
    TableRow.REJECTED:       (refuse_again, refuse_again, not_found,  mark),
    TableRow.REFUNDED:       (conflict,     conflict,     conflict,   same_refund),
    TableRow.CANCELLED:      (conflict,     conflict,     conflict,   same_refund),
}
# fmt: on

TABLE: Final[dict[TableRow, dict[type[BetCommand], Cell]]] = {
    row: dict(zip(COLUMNS, of_row, strict=True)) for row, of_row in _ROWS.items()
}
