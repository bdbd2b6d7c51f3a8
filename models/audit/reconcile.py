"""Compares a provider's own list of its bets with the recorded ones, and reports the differences.

The list is copied into a temporary table and joined there, so that memory does not grow with it. A
bet that moved no money on either side (rejected, cancelled, unknown) is no difference.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, text

from models.database.transactions import one_moment, stream
from models.directory.providers import find_provider
from models.play_money import PATTERN

_LISTED = """
    create temporary table listed (
        line bigint not null, bet_id text, stake numeric, win numeric, state text, why text
    ) on commit drop
"""
_COPY = "copy listed (line, bet_id, stake, win, state, why) from stdin"
_ANALYZE = text("analyze listed")

#: Each bet here and each line there. A missing amount counts as 0, because nothing was moved.
#: `moved` says whether money changed hands. A list without states holds the bets that count.
_DIFFERENCES = text("""
    create temporary table difference on commit drop as
    with there as (
        select *, row_number() over (partition by bet_id order by line) as time,
               min(line) over (partition by bet_id) as first_line
        from listed
    ),
    here as (
        select bet_id, stake, win, state, created_at,
               state in ('open', 'settled', 'refunded') as moved
        from bet
        where provider_id = :provider
          and account_id not in (select id from account where currency like :play)
    ),
    compared as (
        select there.line, coalesce(there.bet_id, here.bet_id) as bet_id,
               there.stake as stake_there, here.stake as stake_here,
               there.win as win_there, here.win as win_here,
               there.state as state_there, here.state as state_here,
               here.created_at,
               case
                 when there.why is not null then there.why
                 when there.time > 1 and there.bet_id is not null
                   then format('betId was listed in line %s already', there.first_line)
               end as why,
               there.line is not null as is_there, here.bet_id is not null as is_here, here.moved,
               coalesce(there.state, 'settled') not in ('rejected', 'cancelled') as counts_there,
               :has_stake and coalesce(there.stake, 0) <> coalesce(here.stake, 0) as other_stake,
               :has_win and coalesce(there.win, 0) <> coalesce(here.win, 0) as other_win,
               case when there.state is null then not here.moved
                    else there.state <> here.state end as other_state
        from there full join here on here.bet_id = there.bet_id
    )
    select case when why is not null then 'bad_line'
                when not is_here then 'missing_here'
                when not is_there then 'missing_there'
                else 'differs' end as kind,
           line, bet_id, stake_there, stake_here, win_there, win_here, state_there, state_here,
           coalesce(why, nullif(concat_ws(', ', case when other_stake then 'stake' end,
                                          case when other_win then 'win' end,
                                          case when other_state then 'state' end), '')) as what
    from compared
    where why is not null
       or not is_here and counts_there
       or not is_there and moved and created_at >= :since and created_at < :until
       or is_here and is_there and (other_stake or other_win or other_state)
          and (moved or counts_there)
""")
#: It reports its progress after this many lines of the list, which take some seconds.
_LINES_PER_STAGE = 1_000_000

_COUNTS = text("select kind, count(*) from difference group by kind")
_ROWS = text("""
    select kind, line, bet_id, stake_there, stake_here, win_there, win_here, state_there,
           state_here, what
    from difference order by line nulls last, bet_id
""")


@dataclass(frozen=True, slots=True)
class ListedBet:
    """A line of the provider's list. `why` says why it cannot be read; None if it can."""

    line: int
    bet_id: str | None
    stake: Decimal | None = None
    win: Decimal | None = None
    state: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What to compare: amounts that the list has, and bets recorded from `since` to before `until`.

    The times apply only to bets that are missing there.
    """

    has_stake: bool
    has_win: bool
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between there (the provider) and here. `what` is the reason, or what differs."""

    kind: str  # missing_here, missing_there, differs, bad_line
    line: int | None
    bet_id: str | None
    stake_there: Decimal | None
    stake_here: Decimal | None
    win_there: Decimal | None
    win_here: Decimal | None
    state_there: str | None
    state_here: str | None
    what: str | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The number of lines, the differences by kind, and all differences, which can be read once."""

    listed: int
    counts: dict[str, int]
    differences: Iterator[Difference]


@contextmanager
def reconcile(
    database_url: str,
    counterparty_id: str,
    bets: Iterable[ListedBet],
    scope: Scope,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Iterator[Reconciliation]:
    """Compare as of one moment. The differences can be read until the block ends.

    Bets with play money are left out: the list of a provider has none of them.

    `on_stage` receives the next step, and the progress. Raises NotFound when there is no such
    provider, and what reading `bets` raises.
    """
    with one_moment(database_url, read_only=False) as session:  # it writes temporary tables
        connection = session.connection()
        provider_id = find_provider(session, counterparty_id).id
        listed = _copy(connection, bets, on_stage)
        on_stage("comparing")
        connection.execute(_ANALYZE)
        values = {
            "provider": provider_id,
            "play": PATTERN,
            "has_stake": scope.has_stake,
            "has_win": scope.has_win,
            "since": scope.since or "-infinity",
            "until": scope.until or "infinity",
        }
        connection.execute(_DIFFERENCES, values)
        counts = {kind: int(count) for kind, count in connection.execute(_COUNTS)}
        yield Reconciliation(listed, counts, _differences(connection))


def _copy(
    connection: Connection, bets: Iterable[ListedBet], on_stage: Callable[[str], None]
) -> int:
    """Copy the list into its temporary table. Returns the number of lines."""
    connection.execute(text(_LISTED))
    count = 0
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for count, bet in enumerate(bets, start=1):
            if count % _LINES_PER_STAGE == 0:
                on_stage(f"reading the list, {count:,} bets")
            copy.write_row((bet.line, bet.bet_id, bet.stake, bet.win, bet.state, bet.why))
    return count


def _differences(connection: Connection) -> Iterator[Difference]:
    for row in stream(connection, _ROWS):
        yield Difference(*row)
