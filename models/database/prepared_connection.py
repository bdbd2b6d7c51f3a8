"""A connection with prepared statements, and its transactions of two round trips: load, commit.

It is made at its first use, and again after it was lost. Every wait has an end: a server that falls
silent costs the connection.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from weakref import WeakSet

import psycopg

from models.database.pipeline import Pipeline, Row
from models.database.postgres import connect
from models.database.preconditions import Use
from models.database.query import BEGIN, COMMIT, LIMIT, ROLLBACK, SNAPSHOT, Query, Statement
from models.errors import (
    BetTaken,
    LedgerContention,
    LedgerError,
    LedgerUnavailable,
    UnsupportedDatabase,
)

# A plan is made once, without looking at the values, and stays. So no plan may be good only for the
# tables as they are now. Each access is by an index, row by row (docs/adr/0012).
_PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_indexscan": "on",
    "enable_indexonlyscan": "on",
    "enable_nestloop": "on",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}

#: Connections are tried again all the time. One that was not is not needed now.
_TRIED_LATELY_SECONDS = 15.0
_POOLS: "WeakSet[PreparedConnection]" = WeakSet()


def connection_states() -> dict[tuple[str, ...], float]:
    """How many connections of this process there are, by what they are for and their state."""
    states = ((connection.pool, connection.state) for connection in list(_POOLS))
    return dict(Counter(one for one in states if one[1]))


class PreparedConnection:
    """One connection for one thread. Call `pipeline`, `transaction` or `snapshot` for each use."""

    def __init__(
        self,
        database_url: str,
        queries: Sequence[Query],
        *,
        wait_seconds: float,
        connect_seconds: int,
        settings: Mapping[str, str] | None = None,
        use: Use = Use.SERVE,
        pool: str = "",
    ) -> None:
        """`wait_seconds` is the longest wait for an answer. Then the connection is closed.

        `pool` says what it is for, in the metrics. "": they do not show it.
        """
        self.pool = pool
        self._failed_at = float("-inf")  # the last try to connect, by `time.monotonic`
        if pool:
            _POOLS.add(self)
        self._url = database_url
        self._queries = queries
        self._wait_seconds = wait_seconds
        self._connect_seconds = connect_seconds
        self._settings = _PLANS | dict(settings or {})
        self._use = use
        self._pipeline: Pipeline | None = None

    def pipeline(self) -> Pipeline:
        """The connection, alive as far as this process knows.

        Raises LedgerUnavailable. Its subclass UnsupportedDatabase lasts until somebody changes
        something.
        """
        if self._pipeline is None or not self._pipeline.usable:
            self.close()
            self._pipeline = self._connect()
        return self._pipeline

    def check(self) -> None:
        """Connect, if PostgreSQL can be reached. If it is away, the first use waits for it.

        Raises UnsupportedDatabase when somebody has to change something.
        """
        try:
            self.pipeline()
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
        self.pipeline()  # first, because it may take long
        # Set inside the transaction: PostgreSQL starts this clock only if none is running yet.
        milliseconds = max(1, int((began + seconds_max - time.monotonic()) * 1000))
        yield from self._run([(BEGIN, ()), (LIMIT, (str(milliseconds),))])

    @contextmanager
    def snapshot(self) -> Iterator["BatchTransaction"]:
        """One read-only transaction in which every statement sees the same moment."""
        yield from self._run([(SNAPSHOT, ())])

    def close(self) -> None:
        """Close the connection, if there is one. That rolls back an open transaction."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

    @property
    def state(self) -> str:
        """`idle`, `busy`, or `connecting` if it cannot connect; "" before its first use.

        Any thread may ask.
        """
        pipeline = self._pipeline
        if pipeline is not None and pipeline.usable:
            return "busy" if pipeline.busy else "idle"
        recent = time.monotonic() - self._failed_at < _TRIED_LATELY_SECONDS
        return "connecting" if recent else ""

    def _connect(self) -> Pipeline:
        connection = None
        try:
            connection = connect(
                self._url,
                self._use,
                connect_seconds=self._connect_seconds,
                wait_seconds=self._wait_seconds,
                settings=self._settings,
            )
            pipeline = Pipeline(connection, self._wait_seconds)
            pipeline.prepare(self._queries)
        except BaseException as error:
            self._failed_at = time.monotonic()
            if connection is not None:
                connection.close()
            if isinstance(error, LedgerUnavailable):
                raise
            if isinstance(error, psycopg.OperationalError | LedgerError):
                # No statement was run yet that could be at fault. So callers that wait continue to
                # wait.
                raise LedgerUnavailable(str(error).strip()) from error
            raise
        return pipeline

    def _run(self, opening: list[Statement]) -> Iterator["BatchTransaction"]:
        pipeline = self.pipeline()
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
