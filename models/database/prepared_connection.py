"""A connection with prepared statements, made at its first use and again after it was lost.

Every wait has an end: a server that falls silent costs the connection.
"""

from collections.abc import Mapping, Sequence

import psycopg

from models.database.pipeline import Pipeline
from models.database.postgres import connect
from models.database.preconditions import Use
from models.database.query import Query
from models.errors import LedgerError, LedgerUnavailable

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


class PreparedConnection:
    """One connection for one thread. Call `pipeline` for each use."""

    def __init__(
        self,
        database_url: str,
        queries: Sequence[Query],
        *,
        wait_seconds: float,
        connect_seconds: int,
        settings: Mapping[str, str] | None = None,
        use: Use = Use.SERVE,
    ) -> None:
        """`wait_seconds` is the longest wait for an answer. Then the connection is closed."""
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

    def close(self) -> None:
        """Close the connection, if there is one. That rolls back an open transaction."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None

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
