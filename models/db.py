"""Connections and transactions: the only module that begins, commits or rolls back.

`transaction` is for what an operator does, through SQLModel. `LedgerConnection` is for batches of
bets, through libpq's pipeline: a transaction of two round trips, load and commit.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import psycopg
from sqlalchemy import Engine, create_engine
from sqlmodel import Session

from models.errors import BetTaken, LedgerContention, LedgerError, LedgerUnavailable
from models.pipeline import Parameter, Pipeline, Row
from models.queries import BEGIN, COMMIT, HOT_PATH, LIMIT, ROLLBACK, SNAPSHOT, Query

Call = tuple[Query, Sequence[Parameter]]

# Plans are made once and do not look at the values; without sequential scans, because a plan made
# while a table was empty would otherwise stay one (docs/adr/0004).
_LEDGER_SETTINGS = """
    set plan_cache_mode = force_generic_plan;
    set enable_seqscan = off;
    set synchronous_commit = on;
    set timezone = 'UTC';
    set transaction_timeout = 0;
"""


@cache
def engine(database_url: str) -> Engine:
    """The SQLAlchemy engine for a `postgresql://` URL; one a process and URL."""
    url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5})


@contextmanager
def transaction(database_url: str) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back if the body raises."""
    with Session(engine(database_url), expire_on_commit=False) as session, session.begin():
        yield session


class LedgerConnection:
    """A connection for batches, made when first needed and again after it was lost."""

    def __init__(self, database_url: str, *, wait_seconds: float, connect_seconds: int) -> None:
        """`wait_seconds`: the longest wait for an answer, after which the connection is closed."""
        self._url = database_url
        self._wait_seconds = wait_seconds
        self._connect_seconds = connect_seconds
        self._pipeline: Pipeline | None = None

    @contextmanager
    def transaction(self, seconds_max: float) -> Iterator["BatchTransaction"]:
        """One transaction that PostgreSQL itself ends after `seconds_max`, whatever becomes of us.

        What the body does not commit is rolled back. Raises what `Pipeline.run` raises.
        """
        began = time.monotonic()
        self._connected()  # first, because it may take long
        # Set inside the transaction: PostgreSQL starts this clock only if none is running yet.
        milliseconds = max(1, int((began + seconds_max - time.monotonic()) * 1000))
        yield from self._run([(BEGIN, ()), (LIMIT, (str(milliseconds),))])

    @contextmanager
    def snapshot(self) -> Iterator["BatchTransaction"]:
        """One read-only transaction in which every statement sees the same moment."""
        yield from self._run([(SNAPSHOT, ())])

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    def _run(self, opening: list[Call]) -> Iterator["BatchTransaction"]:
        pipeline = self._connected()
        batch = BatchTransaction(pipeline, opening)
        try:
            yield batch
        except LedgerError as error:
            if not isinstance(error, LedgerContention | BetTaken):
                # Its server may be a replica by now, or its plans out of date: the next is new.
                self.close()
            raise
        finally:
            if self._pipeline is pipeline and not batch.ended:
                self._roll_back(pipeline)

    def _roll_back(self, pipeline: Pipeline) -> None:
        try:
            pipeline.run((ROLLBACK, ()))
        except LedgerError:
            self.close()  # the server rolls back what a closed connection leaves

    def _connected(self) -> Pipeline:
        if self._pipeline is not None and self._pipeline.usable:
            return self._pipeline
        self.close()
        try:
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=self._connect_seconds,
                target_session_attrs="read-write",
            )
        except psycopg.OperationalError as error:
            raise LedgerUnavailable(str(error).strip()) from error
        try:
            self._pipeline = _prepared(connection, self._wait_seconds)
        except BaseException:
            connection.close()
            raise
        return self._pipeline


def _prepared(connection: psycopg.Connection, wait_seconds: float) -> Pipeline:
    try:
        connection.execute(_LEDGER_SETTINGS)
        pipeline = Pipeline(connection, wait_seconds)
        pipeline.prepare(HOT_PATH)
    except psycopg.OperationalError as error:
        raise LedgerUnavailable(str(error).strip()) from error
    return pipeline


class BatchTransaction:
    """An open transaction; its first statements carry the BEGIN, its last ones the COMMIT."""

    def __init__(self, pipeline: Pipeline, opening: list[Call]) -> None:
        self._pipeline = pipeline
        self._opening = opening
        self.ended = False

    def load(self, *calls: Call) -> list[list[Row]]:
        """Run statements in one round trip; the rows of each."""
        opening, self._opening = self._opening, []
        return self._pipeline.run(*opening, *calls)[len(opening) :]

    def commit(self, *calls: Call) -> None:
        """Run the last statements and commit, in one round trip; all or nothing."""
        self._pipeline.run(*self._opening, *calls, (COMMIT, ()))
        self.ended = True
