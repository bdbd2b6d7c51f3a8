"""Writes what a batch decided: one statement per table for the whole batch, and its rows.

Statements that change rows repeat the key as `id = any($1)` (docs/adr/0012).
"""

from collections.abc import Sequence
from operator import attrgetter

from models.database.query import (
    DATES,
    INT4S,
    INT8,
    INT8S,
    NUMERICS,
    TEXTS,
    ArrayParameter,
    Query,
    Statement,
    Value,
)
from models.ledger.columns import BET, names
from models.ledger.state import State, Transfer

INSERT_BETS = Query(
    b"insert_bets",
    f"insert into bet ({names(BET)})"  # noqa: S608 - names of columns, all constants
    f" select * from unnest({', '.join(f'${n}' for n in range(1, len(BET) + 1))})",
    tuple(column.array_type for column in BET),
)
_bet_row = attrgetter(*(column.name for column in BET))

#: A bet changes only under the lock of its account, so no guard by state is necessary.
UPDATE_BETS = Query(
    b"update_bets",
    """
    with updated as (
        update bet b set state = new.state, win = new.win, odd = new.odd, updated_at = now()
        from unnest($1, $2, $3, $4) new(id, state, win, odd)
        where b.id = new.id and b.id = any($1)
        returning 1
    )
    select require_rows(count(*), $5) from updated
    """,
    (INT8S, TEXTS, NUMERICS, NUMERICS, INT8),
)

INSERT_TRANSFERS = Query(
    b"insert_transfers",
    """
    insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                          account_seq, balance_after, reference, month)
    select id, bet, kind, debit, credit, amount, account, seq, balance, reference,
           coalesce(month, date_trunc('month', now() at time zone 'UTC')::date)
    from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         new(id, bet, kind, debit, credit, amount, account, seq, balance, reference, month)
    """,
    (
        *(INT8S, INT8S, TEXTS, INT8S, INT8S, NUMERICS, INT8S, INT8S, NUMERICS),
        *(TEXTS, DATES),
    ),
)

#: The loaded sequence number guards the update. If a row changed despite the lock, the update would
#: write fewer rows than expected, and `require_rows` would raise. The commit that follows in the
#: same round trip would then not happen.
UPDATE_ACCOUNTS = Query(
    b"update_accounts",
    """
    with updated as (
        update account a set balance = new.balance, last_seq = new.seq
        from unnest($1, $2, $3, $4) new(id, loaded_seq, seq, balance)
        where a.id = new.id and a.last_seq = new.loaded_seq and a.id = any($1)
        returning 1
    )
    select require_rows(count(*), $5) from updated
    """,
    (INT8S, INT8S, INT8S, NUMERICS, INT8),
)

INSERT_REFUSED_ORDERS = Query(
    b"insert_refused_orders",
    "insert into refused_order (id) select * from unnest($1)",
    (TEXTS,),
)

#: Its key refuses a round that is finished already. The lock of the account keeps others from it.
INSERT_FINISHED_ROUNDS = Query(
    b"insert_finished_rounds",
    "insert into finished_round (account_id, provider_id, round_id, id, account_seq)"
    " select * from unnest($1, $2, $3, $4, $5)",
    (INT8S, INT4S, TEXTS, INT8S, INT8S),
)

#: The rows are locked since they were loaded (models/ledger/load.py).
UPDATE_WIN_DAYS = Query(
    b"update_win_days",
    """
    with updated as (
        update win_day w set total = new.total
        from unnest($1, $2, $3) new(account_id, day, total)
        where w.account_id = new.account_id and w.day = new.day and w.account_id = any($1)
        returning 1
    )
    select require_rows(count(*), $4) from updated
    """,
    (INT8S, DATES, NUMERICS, INT8),
)

STATEMENTS = (
    *(INSERT_BETS, UPDATE_BETS, INSERT_TRANSFERS, UPDATE_ACCOUNTS, INSERT_REFUSED_ORDERS),
    *(INSERT_FINISHED_ROUNDS, UPDATE_WIN_DAYS),
)


def writes(state: State) -> list[Statement]:
    """The statements that write what the batch decided. There are none if it decided nothing new.

    They insert bets and deposits in the order of their unique key. So two batches that record the
    same ones wait for each other in one direction only.
    """
    statements: list[Statement] = []
    new = sorted((key, bet) for key, bet in state.bets.items() if bet.month is None)
    if new:
        statements.append((INSERT_BETS, columns([_bet_row(bet) for _, bet in new])))
    changed = [bet for bet in state.bets.values() if bet.changed and bet.month is not None]
    if changed:
        rows = columns([(bet.id, bet.state, bet.win, bet.odd) for bet in changed])
        statements.append((UPDATE_BETS, [*rows, len(changed)]))
    if state.transfers:
        transfers = sorted(state.transfers, key=lambda transfer: transfer.reference or "")
        statements.append((INSERT_TRANSFERS, columns([_transfer_row(one) for one in transfers])))
        moved = [a for a in state.accounts.values() if a.seq != a.loaded_seq]
        accounts = columns([(a.id, a.loaded_seq, a.seq, a.balance) for a in moved])
        statements.append((UPDATE_ACCOUNTS, [*accounts, len(moved)]))
    if state.new_refusals:
        statements.append((INSERT_REFUSED_ORDERS, [state.new_refusals]))
    rounds = [(*one.key, one.id, one.account_seq) for one in state.finished]
    if rounds:
        statements.append((INSERT_FINISHED_ROUNDS, columns(rounds)))
    of_day = [(d.account_id, d.day, d.total) for d in state.win_days.values() if d.changed]
    if of_day:
        statements.append((UPDATE_WIN_DAYS, [*columns(of_day), len(of_day)]))
    return statements


def columns(rows: Sequence[Sequence[Value]]) -> list[ArrayParameter]:
    """Rows turned into columns, each one array parameter. There is at least one row."""
    return [list(column) for column in zip(*rows, strict=True)]


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
