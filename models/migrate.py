"""Upgrades the database to the newest schema, by Alembic, with its functions and triggers."""

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from models.database.engine import engine
from models.database.ownership import act_as_owner, statements_needed
from models.database.preconditions import UNKNOWN_REVISION, Use
from models.errors import BetcoreError, UnsupportedDatabase
from models.keys import KeyRing
from models.secret_cipher import SecretCipher

_FOLDER = Path(__file__).parent / "migrations"
# Any number will do. Every process that migrates uses the same one, so that they take turns.
_LOCK = 5_318_008
_LOG = logging.getLogger("betcore.migrate")
#: Whoever waits for the lock of a table holds up all that come after it. So a migration gives up
#: soon, lets the bets pass, and tries again. Bets wait no longer than this.
_LOCK_WITHIN_MS = 250
_PAUSE_SECONDS = (0.25, 1.0)  # between two attempts, random, so that it falls into a gap
_TRY_FOR_SECONDS = 600.0
_TRY_AGAIN = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
_SAY_EVERY_SECONDS = 15.0
#: Who holds a lock of a table for longest, as far as this login may know.
_HOLDERS = text("""
    select distinct a.pid, coalesce(a.application_name, ''), a.xact_start
    from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'relation' and l.granted and a.pid <> pg_backend_pid()
      and a.xact_start < now() - interval '1 second' order by a.xact_start limit 3
""")


class TablesBusy(BetcoreError):  # noqa: N818 - the name says why
    """A transaction holds a lock of a table for so long that it could not be migrated."""


def migrate(database_url: str, secret_keys: KeyRing | None = None) -> str:
    """Upgrade to the newest revision and return its name. It does nothing at the newest revision.

    It acts as `betcore_owner`, and makes that role and the others where they are missing. Processes
    that migrate at the same time take turns. `secret_keys` encrypt secrets of providers that an
    older version left in plain text.

    It never keeps bets waiting: it gives up each lock soon and tries again, for up to ten minutes.

    Raises TablesBusy when a transaction holds a table for longer. Raises NoKey when there are such
    secrets and no keys. Raises sqlalchemy.exc.OperationalError when PostgreSQL cannot be reached,
    and UnsupportedDatabase when it does not meet our conditions. Raises RolesNeeded when an
    administrator has to make the roles.
    """
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["secret_cipher"] = None if secret_keys is None else SecretCipher(secret_keys)
    with engine(database_url, Use.MIGRATE).connect() as connection:
        _take_turn(connection)
        try:
            connection.execute(text(f"set lock_timeout = {_LOCK_WITHIN_MS}"))
            connection.commit()
            config.attributes["connection"] = connection
            _patiently(connection, lambda: _upgrade(connection, config))
        except CommandError as error:
            raise UnsupportedDatabase(UNKNOWN_REVISION) from error
        finally:
            connection.rollback()
            connection.execute(text("reset role"))
            connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": _LOCK})
            connection.commit()
    return ScriptDirectory.from_config(config).get_current_head() or ""


def _take_turn(connection: Connection) -> None:
    """Wait until nobody else migrates.

    It asks again and again. A statement that waits would be an old transaction, for which `create
    index concurrently` of the other one waits: a deadlock.
    """
    lock = text("select pg_try_advisory_lock(:lock)")
    while not connection.execute(lock, {"lock": _LOCK}).scalar_one():
        connection.rollback()
        time.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - no secret
    connection.commit()


def _upgrade(connection: Connection, config: Config) -> None:
    """Run every migration that is missing. Each is a transaction, so a repeat resumes."""
    act_as_owner(connection)
    command.upgrade(config, "head")
    connection.commit()


def _patiently(connection: Connection, work: Callable[[], None]) -> None:
    """Repeat `work` until it gets all its locks. Raises TablesBusy."""
    begun = said = time.monotonic()
    while True:
        try:
            return work()
        except DBAPIError as error:
            connection.rollback()
            if not isinstance(error.orig, _TRY_AGAIN):
                raise
            connection.execute(text("reset role"))
            holders = [
                f"pid {pid} ({name}) since {since}"
                for pid, name, since in connection.execute(_HOLDERS)
            ]
            connection.commit()
            if time.monotonic() - begun > _TRY_FOR_SECONDS:
                raise TablesBusy(
                    "The tables could not be locked for a migration. Long transactions:"
                    f" {', '.join(holders) or 'none'}. End them, and run `betcore migrate` again."
                ) from error
            if time.monotonic() - said > _SAY_EVERY_SECONDS:
                said = time.monotonic()
                _LOG.warning("waiting for a table's lock: %s", ", ".join(holders) or "bets hold it")
        time.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - no secret


def roles_needed(database_url: str) -> list[str]:
    """The statements that an administrator must run here before its user can migrate; may be none.

    Raises what `migrate` raises, except RolesNeeded.
    """
    with engine(database_url, Use.MIGRATE).connect() as connection:
        return statements_needed(connection)
