"""Connections and transactions: the only module that begins, commits or rolls back.

`transaction` is for the work of an operator, through SQLModel. `one_moment` is for reading a whole
ledger. `BatchConnection` is for batches of bets, through libpq's pipeline: a transaction of two
round trips, load and commit.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import Diagnostic
from sqlalchemy import Connection, CursorResult, Engine, TextClause, create_engine, event, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool
from sqlmodel import Session as DbSession

from models.database.pipeline import Parameter, Pipeline, Row
from models.database.postgres import connect
from models.database.preconditions import Use
from models.database.prepared_connection import PreparedConnection
from models.database.query import BEGIN, COMMIT, LIMIT, REPLICATED, ROLLBACK, SNAPSHOT, Query
from models.errors import (
    BetTaken,
    LedgerContention,
    LedgerError,
    LedgerUnavailable,
    UnsupportedDatabase,
)

_CONNECT_SECONDS = 5
#: A prepared query and its parameters.
Statement = tuple[Query, Sequence[Parameter]]


@cache
def engine(database_url: str, use: Use = Use.OPERATE) -> Engine:
    """The SQLAlchemy engine for a `postgresql://` URL, one per process, URL and use.

    Raises sqlalchemy.exc.ArgumentError when the URL cannot be read. Its connections raise
    UnsupportedDatabase, besides what SQLAlchemy raises.
    """
    try:
        conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:
        raise ArgumentError("DATABASE_URL cannot be read") from None  # it may hold a password

    def connected(
        dialect: object,  # noqa: ARG001
        record: object,  # noqa: ARG001
        arguments: object,  # noqa: ARG001
        parameters: Mapping[str, Any],
    ) -> psycopg.Connection[Any]:
        connection = connect(
            database_url,
            use,
            connect_seconds=_CONNECT_SECONDS,
            wait_seconds=_CONNECT_SECONDS,
            context=parameters.get("context"),  # how SQLAlchemy reads values
        )
        connection.autocommit = False
        return connection

    # A process migrates once. A connection that it kept would look like a user at work.
    pool = NullPool if use is Use.MIGRATE else QueuePool
    made = create_engine("postgresql+psycopg://", poolclass=pool, pool_pre_ping=True)
    event.listen(made, "do_connect", connected)
    return made


@contextmanager
def transaction(database_url: str) -> Iterator[DbSession]:
    """One transaction, committed at the end, or rolled back if the body raises."""
    with DbSession(engine(database_url), expire_on_commit=False) as session, session.begin():
        yield session


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


class BatchConnection:
    """A connection for batches, made at its first use and again after it was lost."""

    def __init__(
        self,
        database_url: str,
        queries: Sequence[Query],
        *,
        wait_seconds: float,
        connect_seconds: int,
    ) -> None:
        """`queries` are prepared. `wait_seconds` is the longest wait for an answer.

        After that wait the connection is closed.
        """
        self._connection = PreparedConnection(
            database_url, queries, wait_seconds=wait_seconds, connect_seconds=connect_seconds
        )

    def check(self) -> None:
        """Connect, if PostgreSQL can be reached. If it is away, the first use waits for it.

        Raises UnsupportedDatabase when somebody has to change something.
        """
        try:
            self._connection.pipeline()
        except UnsupportedDatabase:
            raise
        except LedgerUnavailable:
            pass

    @contextmanager
    def transaction(self, seconds_max: float) -> Iterator["BatchTransaction"]:
        """One transaction that PostgreSQL itself ends after `seconds_max`, whatever happens here.

        What the body does not commit is rolled back. Raises what `Pipeline.run` raises.
        """
        began = time.monotonic()
        self._connection.pipeline()  # first, because it may take long
        # Set inside the transaction: PostgreSQL starts this clock only if none is running yet.
        milliseconds = max(1, int((began + seconds_max - time.monotonic()) * 1000))
        yield from self._run([(BEGIN, ()), (LIMIT, (str(milliseconds),))])

    @contextmanager
    def snapshot(self) -> Iterator["BatchTransaction"]:
        """One read-only transaction in which every statement sees the same moment."""
        yield from self._run([(SNAPSHOT, ())])

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._connection.close()

    def _run(self, opening: list[Statement]) -> Iterator["BatchTransaction"]:
        pipeline = self._connection.pipeline()
        batch = BatchTransaction(pipeline, opening)
        try:
            yield batch
        except LedgerError as error:
            if not isinstance(error, LedgerContention | BetTaken):
                # Its server may now be a replica, or its plans outdated. So the next connection is
                # new.
                self.close()
            raise
        finally:
            if pipeline.usable and not batch.ended:
                self._roll_back(pipeline)

    def _roll_back(self, pipeline: Pipeline) -> None:
        try:
            pipeline.run((ROLLBACK, ()))
        except LedgerError:
            self.close()  # the server rolls back what a closed connection leaves


class BatchTransaction:
    """An open transaction. Its first statements carry the BEGIN, its last ones the COMMIT."""

    def __init__(self, pipeline: Pipeline, opening: list[Statement]) -> None:
        self._pipeline = pipeline
        self._opening = opening
        self.ended = False

    def load(self, *statements: Statement) -> list[list[Row]]:
        """Run statements in one round trip. Returns the rows of each."""
        opening, self._opening = self._opening, []
        return self._pipeline.run(*opening, *statements)[len(opening) :]

    def commit(self, *statements: Statement) -> None:
        """Run the last statements and commit, in one round trip, all or nothing.

        It also raises LedgerUnavailable when it committed, but the standby may not have the commit.
        """
        self._pipeline.run(*self._opening, *statements, (COMMIT, ()))
        self.ended = True
        if self._pipeline.warning:
            raise LedgerUnavailable(self._pipeline.warning)
