"""Brings the database to the newest schema, by Alembic; the functions and triggers are here too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from models.db import engine
from models.errors import UnsupportedDatabase
from models.ownership import act_as_owner, statements_needed

_FOLDER = Path(__file__).parent / "migrations"
# Any number; the same in every process that migrates, so that they take turns.
_LOCK = 5_318_008
_VERSION_MIN = 170_000  # the first with `transaction_timeout`


def migrate(database_url: str) -> str:
    """Upgrade to the newest revision and return its name; does nothing when it is there already.

    Acts as `betcore_owner`, and makes that role and the others where they are missing. Processes
    that migrate at the same time take turns. Raises sqlalchemy.exc.OperationalError when
    PostgreSQL cannot be reached, UnsupportedDatabase when it is older than 17, RolesNeeded when
    an administrator has to make the roles.
    """
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    with engine(database_url).connect() as connection, _taking_turns(connection):
        act_as_owner(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    return ScriptDirectory.from_config(config).get_current_head() or ""


def roles_needed(database_url: str) -> list[str]:
    """What an administrator has to run in this database before its user can migrate; may be none.

    Raises what `migrate` raises.
    """
    with engine(database_url).connect() as connection:
        _require_version(connection)
        return statements_needed(connection)


@contextmanager
def _taking_turns(connection: Connection) -> Iterator[None]:
    """Alone among the processes that migrate; whoever the connection acted as, it does not then."""
    _require_version(connection)
    connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": _LOCK})
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("reset role"))
        connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()


def _require_version(connection: Connection) -> None:
    version = int(connection.execute(text("show server_version_num")).scalar_one())
    if version < _VERSION_MIN:
        raise UnsupportedDatabase(
            f"PostgreSQL {_VERSION_MIN // 10_000} or newer is needed; this is {version // 10_000}."
        )
