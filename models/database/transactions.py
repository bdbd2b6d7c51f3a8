"""Transactions of operators and reports, through SQLModel: begins, commits and rolls them back.

`transaction` is for work that may change something. `one_moment` is for reading a whole ledger.
Batches of bets have transactions of their own (models/database/prepared_connection.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, cast

import psycopg
from psycopg.errors import Diagnostic
from sqlalchemy import Connection, CursorResult, TextClause, text
from sqlmodel import Session as DbSession

from models.database.engine import engine
from models.database.query import REPLICATED
from models.errors import LedgerUnavailable

#: What the functions of `models/directory` and `models/reports` work in.
Transaction: TypeAlias = DbSession


class _Mark:
    """Stands for one transaction. Its end shows in every context that has the mark."""

    is_open = True


_MARKS: ContextVar[tuple[_Mark, ...]] = ContextVar("transactions that were begun here", default=())


@contextmanager
def transaction(database_url: str) -> Iterator[DbSession]:
    """One transaction, committed at the end, or rolled back if the body raises."""
    mark = _Mark()
    _MARKS.set((*(one for one in _MARKS.get() if one.is_open), mark))
    try:
        with DbSession(engine(database_url), expire_on_commit=False) as session, session.begin():
            yield session
    finally:
        mark.is_open = False  # transactions may end in any order, and in another context


def in_transaction() -> bool:
    """Whether the caller is within a `transaction`, in which it should wait for nobody else."""
    return any(mark.is_open for mark in _MARKS.get())


def ping(database_url: str) -> None:
    """Return if PostgreSQL answers. Raises what SQLAlchemy raises."""
    with transaction(database_url) as session:
        session.execute(text("select"))


@contextmanager
def one_moment(
    database_url: str, *, read_only: bool = True, replicated: bool = False
) -> Iterator[DbSession]:
    """A transaction in which everything is read as it is at one moment.

    Without `replicated` it waits for nobody. With it, the end waits until the synchronous standby,
    if there is one, has all that was read. It raises LedgerUnavailable when the standby may not
    have it.
    """
    warnings: list[str] = []
    driver: psycopg.Connection[Any] | None = None

    def note(notice: Diagnostic) -> None:
        warnings.append(notice.message_primary or "")

    try:
        with transaction(database_url) as session:
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": read_only}
            connection = session.connection(execution_options=options)
            yield session
            if replicated:
                driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
                driver.add_notice_handler(note)
                connection.exec_driver_sql("set local client_min_messages = warning")
                connection.exec_driver_sql(REPLICATED.sql)
    finally:
        if driver is not None:  # it goes back to the pool
            driver.remove_notice_handler(note)
    if warnings:  # as `Pipeline.warning`
        raise LedgerUnavailable(warnings[0])


def stream(
    connection: Connection,
    query: TextClause,
    values: dict[str, object] | None = None,
    *,
    rows_per_fetch: int = 500,
) -> CursorResult[*tuple[Any, ...]]:
    """All rows of a query, fetched as they are read, so that memory does not grow with them."""
    # Otherwise PostgreSQL chooses a plan for a cursor that is quick to find only the first row.
    connection.execute(text("set local cursor_tuple_fraction = 1"))
    options = {"stream_results": True, "yield_per": rows_per_fetch}
    return connection.execute(query, values or {}, execution_options=options)
