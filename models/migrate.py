"""Upgrades the database to the newest schema, by Alembic, with its functions and triggers."""

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from models.database.engine import engine
from models.database.ownership import act_as_owner, statements_needed
from models.database.preconditions import UNKNOWN_REVISION, Use
from models.errors import UnsupportedDatabase
from models.keys import KeyRing
from models.secret_cipher import SecretCipher

_FOLDER = Path(__file__).parent / "migrations"
# Any number will do. Every process that migrates uses the same one, so that they take turns.
_LOCK = 5_318_008
_ASK_EVERY_SECONDS = 0.25


def migrate(database_url: str, secret_keys: KeyRing | None = None) -> str:
    """Upgrade to the newest revision and return its name. It does nothing at the newest revision.

    It acts as `betcore_owner`, and makes that role and the others where they are missing. Processes
    that migrate at the same time take turns. `secret_keys` encrypt secrets of providers that an
    older version left in plain text.

    Raises NoKey when there are such secrets and no keys. Raises sqlalchemy.exc.OperationalError
    when PostgreSQL cannot be reached, and UnsupportedDatabase when it does not meet our conditions.
    Raises RolesNeeded when an administrator has to make the roles.
    """
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["secret_cipher"] = None if secret_keys is None else SecretCipher(secret_keys)
    with engine(database_url, Use.MIGRATE).connect() as connection:
        _take_turn(connection)
        try:
            act_as_owner(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        except CommandError as error:
            raise UnsupportedDatabase(UNKNOWN_REVISION) from error
        finally:
            connection.rollback()
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
        time.sleep(_ASK_EVERY_SECONDS)
    connection.commit()


def roles_needed(database_url: str) -> list[str]:
    """The statements that an administrator must run here before its user can migrate; may be none.

    Raises what `migrate` raises, except RolesNeeded.
    """
    with engine(database_url, Use.MIGRATE).connect() as connection:
        return statements_needed(connection)
