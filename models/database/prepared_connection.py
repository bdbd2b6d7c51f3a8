"""A connection with its statements prepared: made when first needed, and again after it was lost.

Nothing here waits without an end: a server that falls silent costs the connection.
"""

from collections.abc import Mapping, Sequence

import psycopg

from models.database.pipeline import Pipeline
from models.database.postgres import connect
from models.database.preconditions import Use
from models.database.query import Query
from models.errors import LedgerError, LedgerUnavailable

# Plans are made once, do not look at the values, and stay. So nothing may be chosen that is good
# only for tables as they are now: each access is by an index, row for row (docs/adr/0012).
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
    """For one thread; use `pipeline`."""

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
        """`wait_seconds`: the longest wait for an answer, after which the connection is closed."""
        self._url = database_url
        self._queries = queries
        self._wait_seconds = wait_seconds
        self._connect_seconds = connect_seconds
        self._settings = _PLANS | dict(settings or {})
        self._use = use
        self._pipeline: Pipeline | None = None

    def pipeline(self) -> Pipeline:
        """The connection, alive as far as is known.

        Raises LedgerUnavailable, such as UnsupportedDatabase until somebody changes something.
        """
        if self._pipeline is None or not self._pipeline.usable:
            self.close()
            self._pipeline = self._connect()
        return self._pipeline

    def close(self) -> None:
        """Close the connection, if there is one; an open transaction is rolled back by that."""
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
                # Nothing was asked for yet that could be at fault: whoever waits, waits on.
                raise LedgerUnavailable(str(error).strip()) from error
            raise
        return pipeline
