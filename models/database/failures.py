"""Turns what SQLAlchemy and the driver raise into errors of ours, if the cause is known."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from models.database.preconditions import READ_ONLY
from models.errors import BetcoreError, InvalidRequest, LedgerUnavailable, UnsupportedDatabase


class NotMigrated(BetcoreError):  # noqa: N818
    """The database does not have the tables of this version: run `betcore migrate`."""


class NotAllowed(BetcoreError):  # noqa: N818
    """The login of DATABASE_URL may not do this: use an operator's login."""


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


@contextmanager
def unavailable() -> Iterator[None]:
    """Like `database_failures`, for a process that goes on.

    Raises LedgerUnavailable also when PostgreSQL cannot be reached, ends our transaction, or when
    all our connections are in use. A statement that failed for another reason is a bug of ours.
    """
    try:
        with database_failures():
            yield
    except NoConnectionFree as error:
        raise LedgerUnavailable("All connections to PostgreSQL are in use.") from error
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError):
            raise LedgerUnavailable from error
        raise
