"""Connects a command to the database, and reports what is wrong there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session as DbSession

from models.audit.log import operation
from models.database.preconditions import READ_ONLY
from models.database.transactions import transaction
from models.errors import BetcoreError, InvalidRequest, UnsupportedDatabase
from ops.author import author_of
from ops.terminal.options import find_settings


class NotMigrated(BetcoreError):  # noqa: N818
    """The database does not have the tables of this version: run `betcore migrate`."""


class NotAllowed(BetcoreError):  # noqa: N818
    """The login of DATABASE_URL may not do this: use an operator's login."""


@contextmanager
def ledger_of(data_dir: Path | None) -> Iterator[DbSession]:
    """Open one transaction on the command's database. It commits unless the body raises.

    Raises NoServers, and whatever `database_failures` raises.
    """
    with database_failures(), transaction(find_settings(data_dir).database_url) as database:
        yield database


@contextmanager
def changes_of(data_dir: Path | None, note: str | None) -> Iterator[DbSession]:
    """Like `ledger_of`, for a command that changes something: the audit log records who and why.

    Raises NoKey or BadKey without the operator key, and InvalidRequest for an invalid note.
    """
    settings = find_settings(data_dir)
    author = author_of(settings, note)
    with database_failures(), operation(settings.database_url, author) as database:
        yield database


@contextmanager
def database_failures() -> Iterator[None]:
    """Turn the driver's exceptions from the body into typed errors if the cause is known.

    Raises NotMigrated if a table or column is missing, and NotAllowed if the login may not use it.
    Raises UnsupportedDatabase if nothing can be written. Raises InvalidRequest if an argument was
    not text: a shell may pass any bytes.
    """
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
            raise NotMigrated from error
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            refused = error.orig.diag.message_primary
            raise NotAllowed(f"{NotAllowed.__doc__} PostgreSQL says: {refused}.") from error
        if isinstance(error.orig, psycopg.errors.ReadOnlySqlTransaction):
            raise UnsupportedDatabase(READ_ONLY) from error
        raise
    except UnicodeEncodeError as error:
        raise InvalidRequest("An argument is not valid UTF-8.") from error
