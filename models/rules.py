"""Every money rule: `decide` says what a command does, from loaded state alone; no I/O, no clock.

`decide` is the table of PROTOCOL.md, "What each call does": one function a column, one case a row.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from models.commands import Deposit, PayInOut
from models.money import ZERO
from models.state import Account, Bet, BetState, Booked, Kind, OpenedBy, Session

# `_responseCode`s that the ledger decides (PROTOCOL.md).
DONE: Final = 1
SESSION_CLOSED: Final = 3
INSUFFICIENT_FUNDS: Final = 4
NOT_ALLOWED: Final = 5
BET_CONFLICT: Final = 7


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command does: the code of its answer, and all that is to be written, if anything.

    `answers` are the kinds of the transfers whose ids the answer names, in its order.
    """

    code: int
    answers: tuple[Kind, ...] = ()
    moves: tuple[tuple[Kind, Decimal], ...] = ()
    records: BetState | None = None  # the state of the bet after this; None: nothing is recorded

    @property
    def writes(self) -> bool:
        """Whether anything is to be written."""
        return self.records is not None or bool(self.moves)


_STAKE_AND_WIN = (Kind.STAKE, Kind.WIN)
_CONFLICT = Decision(BET_CONFLICT)
_CLOSED = Decision(SESSION_CLOSED)


def decide_bet(
    bet: Bet | None, account: Account | None, session: Session | None, command: PayInOut
) -> Decision:
    """Decide a call about a bet, given the bet as recorded, the locked account and the session.

    A session that is unknown or another provider's is 3 for every call, before anything else.
    """
    if (
        session is None
        or account is None
        or session.provider_id != command.provider_id
        or session.account_id != account.id
    ):
        return _CLOSED
    return _pay_in_out(bet, account, session, command)


def decide_deposit(booked: Booked | None, command: Deposit) -> Decision:
    """Decide a deposit, given what its reference already stands for."""
    if booked is None:
        moves = ((Kind.DEPOSIT, command.amount),)
        return Decision(DONE, (Kind.DEPOSIT,), moves)
    same = (
        booked.kind is Kind.DEPOSIT
        and booked.account_id == command.account_id
        and booked.amount == command.amount
    )
    return Decision(DONE, (Kind.DEPOSIT,)) if same else _CONFLICT


def _pay_in_out(bet: Bet | None, account: Account, session: Session, call: PayInOut) -> Decision:
    if bet is None:
        refusal = _refusal(account, session, call.stake)
        if refusal is None:
            moves = ((Kind.STAKE, call.stake), (Kind.WIN, call.win))
            return Decision(DONE, _STAKE_AND_WIN, moves, BetState.SETTLED)
        if refusal == SESSION_CLOSED:
            return _CLOSED
        return Decision(refusal, records=BetState.REJECTED)
    if bet.opened_by is not OpenedBy.PAY_IN_OUT or not _same_data(bet, account, call):
        return _CONFLICT
    match bet.state:
        case BetState.SETTLED:
            return Decision(DONE, _STAKE_AND_WIN)
        case BetState.REJECTED:
            return Decision(bet.refused_with or NOT_ALLOWED)
        case _:
            return _CONFLICT


def _refusal(account: Account, session: Session, stake: Decimal) -> int | None:
    """The checks on a new bet, in the order of PROTOCOL.md; None: it may be taken."""
    if session.ended:
        return SESSION_CLOSED
    if not session.allowed:
        return NOT_ALLOWED
    if session.min_bet is not None and ZERO < stake < session.min_bet:
        return NOT_ALLOWED
    if session.max_bet is not None and stake > session.max_bet:
        return NOT_ALLOWED
    if stake > account.balance:
        return INSUFFICIENT_FUNDS
    return None


def _same_data(bet: Bet, account: Account, call: PayInOut) -> bool:
    """Same account and amounts, compared as numbers (PROTOCOL.md, rule 1)."""
    return bet.account_id == account.id and bet.stake == call.stake and bet.win == call.win
