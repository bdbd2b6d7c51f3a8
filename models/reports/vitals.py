"""What metrics tell of PostgreSQL: the lag of standbys, and when chores were last done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import text

from models.database.failures import unavailable
from models.database.transactions import Transaction, transaction

Chore = Literal["verify", "seal", "backup"]

_RECORD = text("""
    insert into last_done (chore) values (:chore)
    on conflict (chore) do update set done_at = now()
""")
_AGES = text("select chore, extract(epoch from now() - done_at)::float8 from last_done")
_TIMES = text("select chore, done_at from last_done")
# A standby that has everything has no lag. `state` is null if this login may not see it.
_LAG = text("""
    select max(coalesce(extract(epoch from replay_lag), 0))::float8
    from pg_stat_replication where state in ('streaming', 'catchup')
      and application_name not in ('pg_receivewal', 'pg_basebackup')
""")
_WITHIN = text("set local statement_timeout = '2s'")


@dataclass(frozen=True, slots=True)
class Vitals:
    """In seconds. None: this is not known, or there is none."""

    lag: float | None
    ages: dict[str, float]  # by chore


def record_done(database_url: str, chore: Chore) -> None:
    """Record that a chore was just done.

    Raises NotMigrated, NotAllowed, UnsupportedDatabase or LedgerUnavailable.
    """
    with unavailable(), transaction(database_url) as database:
        database.execute(_RECORD, {"chore": chore})


def last_times(database: Transaction) -> dict[str, datetime]:
    """When each chore was last done, by chore. One that was never done is left out."""
    return {row[0]: row[1] for row in database.execute(_TIMES)}


def read_vitals(database_url: str) -> Vitals:
    """Read them, within 2 s of each other. Raises as `record_done` does."""
    with unavailable(), transaction(database_url) as database:
        database.execute(_WITHIN)
        ages = {row[0]: max(0.0, row[1]) for row in database.execute(_AGES)}
        return Vitals(database.execute(_LAG).scalar_one(), ages)
