"""Loads what a batch touches: one statement per table for the whole batch, and its reader.

Arrays go in (`unnest`), so that parse and plan cost the same for 1 bet or 48.

A plan is made once and kept, so no statement may have a plan that is good only for small tables.
Where tables are joined, `lateral (... offset 0)` leaves PostgreSQL only one way: row by row, each
by its key (docs/adr/0012).
"""

from collections.abc import Iterator, Mapping, Sequence

from models.commands import BetCommand
from models.database.pipeline import Row, exact, maybe_exact, present, whole
from models.database.query import BOOL, INT4S, INT8S, TEXTS, Parameter, Query
from models.ledger.columns import BET, names
from models.ledger.rules import CLOSED_MAX
from models.ledger.state import (
    Account,
    Bet,
    Booked,
    Kind,
    Moment,
    Round,
    RoundKey,
    Session,
    State,
    WinDay,
)

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

#: Where a row of `BETS` has what names a finished round.
_NAMES_ROUND = ("account_id", "provider_id", "round_id")
_IN_FINISHED = {name: f"f.{name}" for name in _NAMES_ROUND}
_IN_BETS = [[column.name for column in BET].index(name) for name in _NAMES_ROUND]
_MONTH = "date_trunc('month', b.created_at at time zone 'UTC')::date"

#: Each bet with its transfers, one row per transfer. Then the rounds of new stakes that are
#: finished: each is a row whose only bet columns are its account, provider and round.
BETS = Query(
    b"bets",
    f"""
    select {names(BET, "b.")}, {_MONTH}, t.kind, t.id
    from unnest($1, $2) wanted(provider_id, bet_id),
         lateral (select * from bet
                  where provider_id = wanted.provider_id and bet_id = wanted.bet_id offset 0) b
         left join lateral (select kind, id from transfer where bet = b.id offset 0) t on true
    union all
    select {", ".join(_IN_FINISHED.get(column.name, "null") for column in BET)}, null, null, null
    from unnest($3, $4, $5) staked(account_id, provider_id, round_id),
         lateral (select account_id, provider_id, round_id from finished_round
                  where account_id = staked.account_id and provider_id = staked.provider_id
                    and round_id = staked.round_id offset 0) f
    """,  # noqa: S608 - names of columns, all constants
    (INT4S, TEXTS, INT8S, INT4S, TEXTS),
)

#: Rounds that a command finishes: whether they are finished, and their open bets, one row per bet.
#: A command that names no round is about that of its bet. One more bet is read than one call may
#: close, because the call's own bet may be among them. $5 is true. With
#: `state = 'open'` or a bare `provider_id`, PostgreSQL might choose another index, which is as good
#: as `bet_of_round` only while the table is small.
ROUNDS = Query(
    b"rounds",
    f"""
    select r.account_id, r.provider_id, r.round_id, f.round_id is not null,
           {names(BET, "b.")}, {_MONTH}
    from (
        select distinct account_id, provider_id, coalesce(named, (
            select round_id from bet
            where provider_id = wanted.provider_id and bet_id = wanted.bet_id
        )) as round_id
        from unnest($1, $2, $3, $4) wanted(account_id, provider_id, bet_id, named)
    ) r
         left join lateral (
             select round_id from finished_round
             where account_id = r.account_id and provider_id = r.provider_id
               and round_id = r.round_id offset 0
         ) f on true
         left join lateral (
             select * from bet
             where hashtextextended(round_id, provider_id)
                     = hashtextextended(r.round_id, r.provider_id)
               and (state = 'open') = $5 and account_id = r.account_id
               and round_id = r.round_id and provider_id + 0 = r.provider_id
             limit {CLOSED_MAX + 1}
         ) b on true
    where r.round_id is not null
    """,  # noqa: S608 - names of columns and a number, all constants
    (INT8S, INT4S, TEXTS, TEXTS, BOOL),
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
    *(LOCK_ACCOUNTS, READ_ACCOUNTS, SESSIONS, BETS, ROUNDS, BOOKED, CASH_ACCOUNTS),
    *(REFUSED_ORDERS, NEXT_IDS, MOMENT, WIN_DAYS),
)

Answers = Mapping[Query, list[Row]]


def wanted_bets(calls: Sequence[BetCommand]) -> list[Parameter]:
    """The parameters of `BETS` for these calls: their bets, and the rounds of new stakes."""
    staked = [
        (call.account_id, call.provider_id, call.round_id)
        for call in calls
        if call.has_stake and call.round_id is not None and not call.round_finished
    ]
    rounds = zip(*staked, strict=True) if staked else ((), (), ())
    return [[call.provider_id for call in calls], [call.bet_id for call in calls], *rounds]


def wanted_rounds(calls: Sequence[BetCommand]) -> list[Parameter]:
    """The parameters of `ROUNDS`: the round of each of these calls that finishes one.

    A call that names no round is about that of its bet, which another call of the batch may record.
    So the rounds are wanted that any call names for this bet.
    """
    named: dict[tuple[int, str], set[str | None]] = {}
    for call in calls:
        named.setdefault((call.provider_id, call.bet_id), {None}).add(call.round_id)
    wanted = {
        (call.account_id, call.provider_id, call.bet_id, round_id)
        for call in calls
        if call.round_finished
        for round_id in (
            named[call.provider_id, call.bet_id] if call.round_id is None else [call.round_id]
        )
    }
    return [*[list(column) for column in zip(*wanted, strict=True)], "true"]


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
        if values[0] is None:
            _finished(state, values)
            continue
        bet = bets.get(values[0]) or bets.setdefault(values[0], _bet(values, month))
        state.bets[bet.provider_id, bet.bet_id] = bet
        if kind is not None:
            bet.ids[Kind(kind)] = whole(transfer_id)
    for row in answers.get(ROUNDS, ()):
        _read_round(state, row)
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


def _finished(state: State, values: Sequence[str | None]) -> None:
    """Note a finished round, from a row of `BETS` that is no bet."""
    account_id, provider_id, round_id = (values[place] for place in _IN_BETS)
    key = (whole(account_id), whole(provider_id), present(round_id))
    state.rounds[key] = Round(key, finished=True)


def _read_round(state: State, row: Row) -> None:
    """Add a row of `ROUNDS` to the state. A bet that is known already stays the same object."""
    account_id, provider_id, round_id, finished, *values, month = row
    key: RoundKey = (whole(account_id), whole(provider_id), present(round_id))
    of_round = state.rounds.setdefault(key, Round(key, finished == "t"))
    if values[0] is not None:
        bet = _bet(values, month)
        bet = state.bets.setdefault((bet.provider_id, bet.bet_id), bet)
        of_round.bets[bet.bet_id] = bet


def _bet(values: Sequence[str | None], month: str | None) -> Bet:
    found = {column.name: column.read(value) for column, value in zip(BET, values, strict=True)}
    return Bet(**found, month=month)
