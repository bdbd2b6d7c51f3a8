"""Between rows of PostgreSQL and the state in memory: how a batch is read, and is written."""

from collections.abc import Iterator, Mapping, Sequence

from models import queries
from models.db import Call
from models.pipeline import Column, Row, Value, exact, maybe_exact, present, whole
from models.queries import Query
from models.reason import Reason
from models.state import (
    Account,
    Bet,
    BetState,
    Booked,
    Kind,
    Moment,
    OpenedBy,
    Session,
    State,
    Transfer,
)

Answers = Mapping[Query, list[Row]]


def read_state(ids: Iterator[int], answers: Answers, accounts: Query) -> State:
    """The state that the answers to a load describe; `accounts` is the query that read them."""
    state = State(ids)
    for row in answers.get(queries.MOMENT, ()):
        state.moment = Moment(present(row[0]), present(row[1]))
    for row in answers[accounts]:
        account = Account(whole(row[0]), exact(row[1]), whole(row[2]))
        state.accounts[account.id] = account
    for row in answers[queries.SESSIONS]:
        session = _session(row)
        state.sessions[session.id] = session
    for row in answers[queries.BETS]:
        key = (whole(row[1]), present(row[2]))
        bet = state.bets.get(key) or state.bets.setdefault(key, _bet(row))
        if row[14] is not None:
            bet.ids[Kind(row[14])] = whole(row[15])
    for row in answers.get(queries.BOOKED, ()):
        booked = Booked(whole(row[1]), whole(row[2]), Kind(present(row[3])), exact(row[4]))
        state.booked[present(row[0])] = booked
    for row in answers.get(queries.CASH_ACCOUNTS, ()):
        state.cash_accounts[whole(row[0])] = whole(row[1])
    state.refused_orders = {present(row[0]) for row in answers.get(queries.REFUSED_ORDERS, ())}
    return state


def writes(state: State) -> list[Call]:
    """The statements that write what the batch decided; none if it decided nothing new.

    Bets and deposits are inserted in the order of their unique key, so that two batches which
    record the same ones wait for each other in one direction only.
    """
    calls: list[Call] = []
    new = sorted((key, bet) for key, bet in state.bets.items() if bet.month is None)
    if new:
        calls.append((queries.INSERT_BETS, columns([_bet_row(bet) for _, bet in new], 13)))
    changed = [bet for bet in state.bets.values() if bet.changed and bet.month is not None]
    if changed:
        rows = columns([(bet.id, bet.state, bet.win, bet.odd) for bet in changed], 4)
        calls.append((queries.UPDATE_BETS, [*rows, len(changed)]))
    if state.transfers:
        transfers = sorted(state.transfers, key=lambda transfer: transfer.reference or "")
        rows = [_transfer_row(transfer) for transfer in transfers]
        calls.append((queries.INSERT_TRANSFERS, columns(rows, 11)))
        moved = [a for a in state.accounts.values() if a.seq != a.loaded_seq]
        accounts = columns([(a.id, a.loaded_seq, a.seq, a.balance) for a in moved], 4)
        calls.append((queries.UPDATE_ACCOUNTS, [*accounts, len(moved)]))
    if state.new_refusals:
        calls.append((queries.INSERT_REFUSED_ORDERS, [state.new_refusals]))
    return calls


def columns(rows: Sequence[Sequence[Value]], width: int) -> list[Column]:
    """Rows turned into columns, each one array parameter."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * width


def _session(row: Row) -> Session:
    return Session(
        id=present(row[0]),
        provider_id=whole(row[1]),
        account_id=whole(row[2]),
        house_account_id=whole(row[3]),
        min_bet=maybe_exact(row[4]),
        max_bet=maybe_exact(row[5]),
        closed=row[6] == "t",
        expired=row[7] == "t",
        player_blocked=row[8] == "t",
        provider_suspended=row[9] == "t",
    )


def _bet(row: Row) -> Bet:
    return Bet(
        id=whole(row[0]),
        provider_id=whole(row[1]),
        bet_id=present(row[2]),
        account_id=whole(row[3]),
        session_id=present(row[4]),
        round_id=row[5],
        opened_by=OpenedBy(present(row[6])),
        state=BetState(present(row[7])),
        stake=maybe_exact(row[8]),
        win=maybe_exact(row[9]),
        odd=maybe_exact(row[10]),
        refused_with=None if row[11] is None else int(row[11]),
        reason=None if row[12] is None else Reason(row[12]),
        month=row[13],
    )


def _bet_row(bet: Bet) -> tuple[Value, ...]:
    return (
        bet.id,
        bet.provider_id,
        bet.bet_id,
        bet.account_id,
        bet.session_id,
        bet.round_id,
        bet.opened_by,
        bet.state,
        bet.stake,
        bet.win,
        bet.odd,
        bet.refused_with,
        bet.reason,
    )


def _transfer_row(transfer: Transfer) -> tuple[Value, ...]:
    return (
        transfer.id,
        transfer.bet.id if transfer.bet else None,
        transfer.kind,
        transfer.debit_account_id,
        transfer.credit_account_id,
        transfer.amount,
        transfer.account_id,
        transfer.account_seq,
        transfer.balance_after,
        transfer.reference,
        transfer.bet.month if transfer.bet else None,
    )
