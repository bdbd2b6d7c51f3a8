"""What an operator is told instead of the driver's words, where we know better."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError

from models.errors import BetcoreError, InvalidRequest


class NotMigrated(BetcoreError):  # noqa: N818
    """The database does not have the tables of this version: run `betcore migrate`."""


@contextmanager
def database_failures() -> Iterator[None]:
    """Turn what the driver raises in the body into typed errors, where the cause is known.

    Raises NotMigrated when a table or column is missing, and InvalidRequest when an argument was
    no text (a shell may pass any bytes).
    """
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
            raise NotMigrated from error
        raise
    except UnicodeEncodeError as error:
        raise InvalidRequest("An argument is not valid UTF-8.") from error
