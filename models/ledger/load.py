"""Loads what a batch touches: one statement per table for the whole batch, and its reader.

Arrays go in (`unnest`), so that parse and plan cost the same for 1 bet or 48.

A plan is made once and kept, so no statement may have a plan that is good only for small tables.
Where tables are joined, `lateral (... offset 0)` leaves PostgreSQL only one way: row by row, each
by its key (docs/adr/0012).
"""

from collections.abc import Iterator, Mapping, Sequence

from models.database.pipeline import Row, exact, maybe_exact, present, whole
from models.database.query import INT4S, INT8S, TEXTS, Query
from models.ledger.columns import BET, names
from models.ledger.state import Account, Bet, Booked, Kind, Moment, Session, State, WinDay

#: The order by id keeps two batches with common accounts from waiting for each other in a circle.
#: `no key` lets bets and transfers refer to the row meanwhile.
LOCK_ACCOUNTS = Query(
    b"lock_accounts",
    "select id, balance, last_seq from account where id = any($1) order by id for no key update",
    (INT8S,),
)
READ_ACCOUNTS = Query(
    b"read_accounts", "select id, balance, last_seq from account where id = any($1)", (INT8S,)
)

#: This statement follows the lock, so that it sees what was committed until the lock was granted.
#: The wall clock decides whether a session has expired, and not the transaction's start (rule 7).
SESSIONS = Query(
    b"sessions",
    """
    select s.id, s.provider_id, s.account_id, house.id, s.min_bet, s.max_bet, house.max_win,
           house.max_daily_win,
           s.closed_at is not null, s.expires_at <= clock_timestamp(),
           player.status <> 'active', provider.status <> 'active'
    from session s,
         lateral (select status from provider where id = s.provider_id offset 0) provider,
         lateral (select player_id, currency from account where id = s.account_id offset 0) a,
         lateral (select status from player where id = a.player_id offset 0) player,
         lateral (select id, max_win, max_daily_win from account
                  where provider_id = s.provider_id and currency = a.currency offset 0) house
    where s.id = any($1)
    """,
    (TEXTS,),
)

#: Each bet with its transfers, one row per transfer.
BETS = Query(
    b"bets",
    f"""
    select {names(BET, "b.")},
           date_trunc('month', b.created_at at time zone 'UTC')::date, t.kind, t.id
    from unnest($1, $2) wanted(provider_id, bet_id),
         lateral (select * from bet
                  where provider_id = wanted.provider_id and bet_id = wanted.bet_id offset 0) b
         left join lateral (select kind, id from transfer where bet = b.id offset 0) t on true
    """,  # noqa: S608 - names of columns, all constants
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

#: Read after the lock of the account, under which they are written.
REFUSED_ORDERS = Query(
    b"refused_orders", "select id from refused_order where id = any($1)", (TEXTS,)
)

#: The ids per block, for bets and transfers. The sequence counts in steps of this size.
ID_BLOCK = 1000
NEXT_IDS = Query(b"next_ids", "select nextval('ledger_ids')")

#: The time that every row of this transaction will have. The journal vouches for it.
MOMENT = Query(
    b"moment",
    "select (extract(epoch from now()) * 1000000)::bigint,"
    " date_trunc('month', now() at time zone 'UTC')::date",
)

#: Makes the rows of this day, locks them and reads them: one worker at a time adds to a total. All
#: accounts of the batch are locked before, and the rows are locked in order, so that no two batches
#: wait for each other in a circle. The update changes nothing: it locks, and sees what was
#: committed until the lock was granted.
WIN_DAYS = Query(
    b"win_days",
    """
    insert into win_day as old (account_id, day)
    select id, (now() at time zone 'UTC')::date from unnest($1) house(id) order by id
    on conflict (account_id, day) do update set total = old.total
    returning account_id, day, total
    """,
    (INT8S,),
)

STATEMENTS = (
    *(LOCK_ACCOUNTS, READ_ACCOUNTS, SESSIONS, BETS, BOOKED, CASH_ACCOUNTS, REFUSED_ORDERS),
    *(NEXT_IDS, MOMENT, WIN_DAYS),
)

Answers = Mapping[Query, list[Row]]


def read_state(ids: Iterator[int], answers: Answers, accounts: Query) -> State:
    """The state that the answers to a load describe. `accounts` is the query that read them."""
    state = State(ids)
    for micros, month in answers.get(MOMENT, ()):
        state.moment = Moment(present(micros), present(month))
    for id_, balance, last_seq in answers[accounts]:
        account = Account(whole(id_), exact(balance), whole(last_seq))
        state.accounts[account.id] = account
    for row in answers[SESSIONS]:
        session = _session(*row)
        state.sessions[session.id] = session
    bets: dict[str | None, Bet] = {}  # by id
    for row in answers[BETS]:
        *values, month, kind, transfer_id = row
        bet = bets.get(values[0]) or bets.setdefault(values[0], _bet(values, month))
        state.bets[bet.provider_id, bet.bet_id] = bet
        if kind is not None:
            bet.ids[Kind(kind)] = whole(transfer_id)
    for reference, id_, account_id, kind, amount in answers.get(BOOKED, ()):
        booked = Booked(whole(id_), whole(account_id), Kind(present(kind)), exact(amount))
        state.booked[present(reference)] = booked
    for account_id, cash_id in answers.get(CASH_ACCOUNTS, ()):
        state.cash_accounts[whole(account_id)] = whole(cash_id)
    state.refused_orders = {present(id_) for (id_,) in answers.get(REFUSED_ORDERS, ())}
    return state


def read_win_days(state: State, rows: Sequence[Row]) -> None:
    """Add to the state what `WIN_DAYS` returned."""
    for account_id, day, total in rows:
        state.win_days[whole(account_id)] = WinDay(whole(account_id), present(day), exact(total))


def _session(
    id_: str | None,
    provider_id: str | None,
    account_id: str | None,
    house_account_id: str | None,
    min_bet: str | None,
    max_bet: str | None,
    max_win: str | None,
    max_daily_win: str | None,
    *states: str | None,
) -> Session:
    closed, expired, player_blocked, provider_suspended = [state == "t" for state in states]
    return Session(
        id=present(id_),
        provider_id=whole(provider_id),
        account_id=whole(account_id),
        house_account_id=whole(house_account_id),
        min_bet=maybe_exact(min_bet),
        max_bet=maybe_exact(max_bet),
        max_win=maybe_exact(max_win),
        max_daily_win=maybe_exact(max_daily_win),
        closed=closed,
        expired=expired,
        player_blocked=player_blocked,
        provider_suspended=provider_suspended,
    )


def _bet(values: Sequence[str | None], month: str | None) -> Bet:
    found = {column.name: column.read(value) for column, value in zip(BET, values, strict=True)}
    return Bet(**found, month=month)
