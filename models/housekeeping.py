"""What has to be done regularly in the database. Nothing here blocks a bet, or waits for one.

`CHORES` is the list. A chore is safe to run at any time, and again. It acts as the owner of the
tables, because no other role may delete or vacuum anything (docs/adr/0018).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from models.database.engine import engine
from models.database.preconditions import Use
from models.database.roles import OWNER, RIGHTS
from models.errors import BetcoreError

# Any number will do. Two that run at once must not do the same work.
_LOCK = 5_318_009
#: A chore waits no longer for a lock, because bets would wait behind it. The next run is soon.
#: A vacuum pauses as often as PostgreSQL's own does.
_GENTLE = ("set lock_timeout = '250ms'", "set vacuum_cost_delay = '2ms'")
# Without `truncate`, it never needs a lock that excludes others.
_VACUUM = "vacuum (analyze, skip_locked, truncate off) {table}"
_IS_OWNER = text(f"select coalesce(pg_has_role(to_regrole('{OWNER}'), 'USAGE'), false)")
_INVALID = text("""
    select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
    where not i.indisvalid and c.relnamespace = to_regnamespace(current_schema())
    order by c.relname
""")
_AGE = text("select age(datfrozenxid) from pg_database where datname = current_database()")
#: PostgreSQL stops to write at 2.1 billion, and freezes rows long before that.
_AGE_MAX = 1_000_000_000
#: The operator API promises 24 hours (docs/OPERATOR-API.md).
ANSWERS_KEPT_HOURS = 48
# A row that somebody locks is left for next time. The key is in the index of the table.
_OLD_ANSWERS = text(f"""
    delete from idempotent_request where (key_id, name) in (
        select key_id, name from idempotent_request
        where created_at < now() - interval '{ANSWERS_KEPT_HOURS} h'
        limit 10000 for update skip locked)
""")  # noqa: S608 - the only thing put in is a constant
#: The console shows the last 24 hours of live figures.
_OLD_MINUTES = text("delete from gateway_minute where minute < now() - interval '25 h'")
_READERS = text("""
    select slot_name, coalesce(wal_status, ''), active,
           coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint
    from pg_replication_slots order by slot_name
""")
_KEPT_MAX = 1024**3
_SIZES = text("""
    select c.relname, pg_total_relation_size(c.oid)
    from pg_class c where c.relkind = 'r' and c.relnamespace = to_regnamespace(current_schema())
      and c.relname = any(:tables)
    order by 2 desc
""")


class NotOwner(BetcoreError):  # noqa: N818 - the name says what is missing
    """The login of DATABASE_URL does not own the tables: use the login of `betcore migrate`."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a chore did or found. Each of `troubles` is a line that names the cause and the cure."""

    chore: str
    did: str
    troubles: list[str] = field(default_factory=list)


def keep_house(database_url: str) -> Iterator[Done]:
    """Do every chore, one after the other. If another process is at it, do nothing.

    Raises NotOwner, UnsupportedDatabase, sqlalchemy.exc.DBAPIError.
    """
    made = engine(database_url, Use.MIGRATE).execution_options(isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        if not connection.execute(_IS_OWNER).scalar_one():
            raise NotOwner
        lock = text("select pg_try_advisory_lock(:lock)")
        if not connection.execute(lock, {"lock": _LOCK}).scalar_one():
            yield Done("all", "nothing: another housekeeping is at work")
            return
        for statement in _GENTLE:
            connection.execute(text(statement))
        for chore in CHORES:
            yield chore(connection)


def _answers(connection: Connection) -> Done:
    """Delete the answers to old requests with an `Idempotency-Key`, some at a time."""
    deleted = 0
    while (of_this_time := connection.execute(_OLD_ANSWERS).rowcount) > 0:
        deleted += of_this_time
    return Done("answers", f"{deleted} to requests of more than {ANSWERS_KEPT_HOURS} h ago deleted")


def _minutes(connection: Connection) -> Done:
    """Delete the live figures of the day before."""
    deleted = connection.execute(_OLD_MINUTES).rowcount
    return Done("live figures", f"{deleted} minutes of more than 25 h ago deleted")


def _vacuum(connection: Connection) -> Done:
    """Remove what updates left, freeze what is new, and summarise the indexes by time."""
    for table in RIGHTS:
        connection.execute(text(_VACUUM.format(table=table)))
    return Done("vacuum", f"{len(RIGHTS)} tables; one that somebody locks is left for next time")


def _indexes(connection: Connection) -> Done:
    """Find indexes that an interrupted migration left unfinished."""
    troubles = [
        f"Index {name} is not valid: run `reindex index concurrently {name}`."
        for name in connection.execute(_INVALID).scalars()
    ]
    return Done("indexes", "looked for indexes that are not valid", troubles)


def _transaction_ids(connection: Connection) -> Done:
    """Find out whether PostgreSQL keeps up with freezing old rows."""
    age = connection.execute(_AGE).scalar_one()
    trouble = (
        f"The oldest transaction id is {age} transactions old: look for a transaction, a prepared"
        " transaction or a replication slot that is very old, and end it."
    )
    return Done("transaction ids", f"the oldest is {age} old", [trouble] if age > _AGE_MAX else [])


def _readers(connection: Connection) -> Done:
    """Find readers of the log, such as `betcore backup`, that are far behind."""
    rows = connection.execute(_READERS).all()
    troubles = [
        f"The reader {name} lost a part of the log: make a new backup."
        if status == "lost"
        else f"PostgreSQL keeps {kept // 1024**2} MiB of its log for the reader {name}: run it (the"
        " reader betcore_backup is `betcore backup --wal`), or drop its replication slot."
        for name, status, active, kept in rows
        if status == "lost" or (not active and kept > _KEPT_MAX)
    ]
    return Done("readers of the log", f"{len(rows)} known", troubles)


def _sizes(connection: Connection) -> Done:
    """Measure the tables with their indexes."""
    rows = connection.execute(_SIZES, {"tables": list(RIGHTS)}).all()
    return Done("sizes", ", ".join(f"{name} {size // 1024**2} MiB" for name, size in rows[:4]))


#: Every chore, in this order. A chore that deletes rows which expired belongs here too.
CHORES: tuple[Callable[[Connection], Done], ...] = (
    *(_answers, _minutes, _vacuum, _indexes, _transaction_ids, _readers, _sizes),
)
