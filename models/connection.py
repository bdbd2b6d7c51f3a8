"""A connection with its statements prepared: made when first needed, and again after it was lost.

Nothing here waits without an end: a server that falls silent costs the connection.
"""

from collections.abc import Mapping, Sequence

import psycopg

from models.errors import LedgerUnavailable
from models.pipeline import Pipeline
from models.queries import SETTINGS, Query

# Plans are made once and do not look at the values; without sequential scans, because a plan made
# while a table was empty would otherwise stay one (docs/adr/0004).
_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "synchronous_commit": "on",
    # Such as that of a commit whose wait for the standby was ended by hand: see `Pipeline.warning`.
    "client_min_messages": "warning",
    "timezone": "UTC",
    "datestyle": "ISO",  # the journal hashes a date as PostgreSQL says it
    "transaction_timeout": "0",
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
        may_be_replica: bool = False,
    ) -> None:
        """`wait_seconds`: the longest wait for an answer, after which the connection is closed."""
        self._url = database_url
        self._queries = (SETTINGS, *queries)
        self._wait_seconds = wait_seconds
        self._connect_seconds = connect_seconds
        self._settings = _SETTINGS | dict(settings or {})
        self._attributes = "any" if may_be_replica else "read-write"
        self._pipeline: Pipeline | None = None

    def pipeline(self) -> Pipeline:
        """The connection, alive as far as is known. Raises LedgerUnavailable or LedgerError."""
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
        try:
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=self._connect_seconds,
                target_session_attrs=self._attributes,
            )
        except psycopg.OperationalError as error:
            raise LedgerUnavailable(str(error).strip()) from error
        try:
            pipeline = Pipeline(connection, self._wait_seconds)
            pipeline.prepare(self._queries)
            pipeline.run((SETTINGS, [list(self._settings), list(self._settings.values())]))
        except psycopg.OperationalError as error:
            connection.close()
            raise LedgerUnavailable(str(error).strip()) from error
        except BaseException:
            connection.close()
            raise
        return pipeline
