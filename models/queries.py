"""The SQL of the hot path: one statement a step for a whole batch, prepared once a connection.

Arrays go in (`unnest`), so that a statement costs the same parse and plan for 1 bet or 32. The
types are given by number because libpq would otherwise have to ask for them.

A plan is made once and kept, so no statement may have one that is good only for small tables. Where
tables are joined, `lateral (... offset 0)` leaves PostgreSQL one way: row for row, each by its key
(docs/adr/0012). Where rows are changed, `id = any($1)` says once more by which key.
"""

from typing import NamedTuple

INT2S, INT4S, INT8S, TEXTS, NUMERICS, DATES = 1005, 1007, 1016, 1009, 1231, 1182
INT8, TEXT, BYTEA, UUID = 20, 25, 17, 2950


class Query(NamedTuple):
    """A statement to prepare: its name, its SQL, the type numbers of its parameters."""

    name: bytes
    sql: str
    types: tuple[int, ...] = ()


BEGIN = Query(b"begin", "begin isolation level read committed")
SNAPSHOT = Query(b"snapshot", "begin isolation level repeatable read, read only")
COMMIT = Query(b"commit", "commit")
ROLLBACK = Query(b"rollback", "rollback")
LIMIT = Query(b"limit", "select set_config('transaction_timeout', $1, true)", (TEXT,))

#: A commit after it is answered once the standby has all that is visible now. What a crash or a
#: cancelled wait made visible, it may not have yet: what is read is not said before
#: (docs/OPERATIONS.md). Writes to no table, and nothing at all without a synchronous standby.
REPLICATED = Query(
    b"replicated",
    """
    select case when current_setting('synchronous_standby_names') <> ''
           then set_config('synchronous_commit', 'on', true)
                || pg_logical_emit_message(true, 'betcore', '')::text end
    """,
)

#: In id order, so that two batches which share accounts cannot wait for each other in a circle.
#: `no key`: bets and transfers may refer to the row meanwhile.
LOCK_ACCOUNTS = Query(
    b"lock_accounts",
    "select id, balance, last_seq from account where id = any($1) order by id for no key update",
    (INT8S,),
)
READ_ACCOUNTS = Query(
    b"read_accounts", "select id, balance, last_seq from account where id = any($1)", (INT8S,)
)

#: A later statement than the lock, so that it sees what was committed until the lock was granted;
#: the wall clock, not the transaction's start, says whether a session has expired (rule 7).
SESSIONS = Query(
    b"sessions",
    """
    select s.id, s.provider_id, s.account_id, house.id, s.min_bet, s.max_bet,
           s.closed_at is not null, s.expires_at <= clock_timestamp(),
           player.status <> 'active', provider.status <> 'active'
    from session s,
         lateral (select status from provider where id = s.provider_id offset 0) provider,
         lateral (select player_id, currency from account where id = s.account_id offset 0) a,
         lateral (select status from player where id = a.player_id offset 0) player,
         lateral (select id from account
                  where provider_id = s.provider_id and currency = a.currency offset 0) house
    where s.id = any($1)
    """,
    (TEXTS,),
)

BETS = Query(
    b"bets",
    """
    select b.id, b.provider_id, b.bet_id, b.account_id, b.session_id, b.round_id, b.opened_by,
           b.state, b.stake, b.win, b.odd, b.refused_with, b.reason,
           date_trunc('month', b.created_at at time zone 'UTC')::date, t.kind, t.id
    from unnest($1, $2) wanted(provider_id, bet_id),
         lateral (select * from bet
                  where provider_id = wanted.provider_id and bet_id = wanted.bet_id offset 0) b
         left join lateral (select kind, id from transfer where bet = b.id offset 0) t on true
    """,
    (INT4S, TEXTS),
)

BOOKED = Query(
    b"booked",
    "select reference, id, account, kind, amount from transfer where reference = any($1)",
    (TEXTS,),
)
CASH_ACCOUNTS = Query(
    b"cash_accounts",
    """
    select a.id, cash.id
    from account a,
         lateral (select id from account
                  where kind = 'cash' and currency = a.currency offset 0) cash
    where a.id = any($1)
    """,
    (INT8S,),
)

#: Read after the account's lock, under which they are written.
REFUSED_ORDERS = Query(
    b"refused_orders", "select id from refused_order where id = any($1)", (TEXTS,)
)

#: A block of ids for bets and transfers: the sequence counts by this much.
ID_BLOCK = 1000
NEXT_IDS = Query(b"next_ids", "select nextval('ledger_ids')")

INSERT_BETS = Query(
    b"insert_bets",
    """
    insert into bet (id, provider_id, bet_id, account_id, session_id, round_id, opened_by, state,
                     stake, win, odd, refused_with, reason)
    select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    """,
    (
        *(INT8S, INT4S, TEXTS, INT8S, TEXTS, TEXTS, TEXTS, TEXTS),
        *(NUMERICS, NUMERICS, NUMERICS, INT2S, TEXTS),
    ),
)

#: A bet changes only under the lock of its account, so that no guard by state is needed.
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

#: Guarded by the sequence number that was loaded: were the row ever changed behind the lock, fewer
#: rows than expected would be written, `require_rows` would raise, and the commit behind it in the
#: same round trip would not happen.
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

#: The time that every row of this transaction will have, for the journal to vouch for it.
MOMENT = Query(
    b"moment",
    "select (extract(epoch from now()) * 1000000)::bigint,"
    " date_trunc('month', now() at time zone 'UTC')::date",
)
INSERT_JOURNAL = Query(
    b"insert_journal",
    "insert into journal (strand, number, key, transfers, fingerprints, hmac)"
    " values ($1, $2, $3, $4, $5, $6)",
    (UUID, INT8, TEXT, INT8S, BYTEA, BYTEA),
)
#: For a batch that rejects bets.
INSERT_JOURNAL_OF_BETS = Query(
    b"insert_journal_of_bets",
    "insert into journal (strand, number, key, transfers, fingerprints, hmac, bets)"
    " values ($1, $2, $3, $4, $5, $6, $7)",
    (*INSERT_JOURNAL.types, INT8S),
)

HOT_PATH = (
    *(BEGIN, SNAPSHOT, COMMIT, ROLLBACK, LIMIT, LOCK_ACCOUNTS, READ_ACCOUNTS, SESSIONS, BETS),
    REPLICATED,
    *(BOOKED, CASH_ACCOUNTS, REFUSED_ORDERS, NEXT_IDS, INSERT_BETS, UPDATE_BETS, INSERT_TRANSFERS),
    *(UPDATE_ACCOUNTS, INSERT_REFUSED_ORDERS, MOMENT, INSERT_JOURNAL, INSERT_JOURNAL_OF_BETS),
)
