"""Prepared statements in libpq's pipeline: sent and answered together, one round trip per step.

psycopg's own cursors need 4 × the client time for a batch of 32 (docs/adr/0004). So the hot path
uses `psycopg.pq`, and only this module knows how.
"""

import select
from collections.abc import Iterable, Sequence
from decimal import Decimal

import psycopg
from psycopg import pq
from psycopg.errors import Diagnostic
from psycopg.pq.abc import PGconn, PGresult

from models.database.query import Parameter, Query, Statement
from models.errors import BetTaken, LedgerContention, LedgerError, LedgerUnavailable

Row = tuple[str | None, ...]

_UNIQUE_VIOLATION = "23505"
# Deadlock, serialization failure, lock not available. Nobody is at fault, and a repeat may succeed.
_CONTENTION = frozenset({"40001", "40P01", "55P03"})
# Connection trouble; shutdown; resources; a primary that became a replica; the time limits that end
# a connection or a transaction.
_UNAVAILABLE = ("08", "57", "53", "25006", "25P03", "25P04")


class Pipeline:
    """One connection that runs batches of prepared statements, each in one round trip."""

    def __init__(self, connection: psycopg.Connection, wait_seconds: float) -> None:
        """Take over `connection`. `wait_seconds` is the longest wait for an answer."""
        self._connection = connection
        self._pgconn: PGconn = connection.pgconn
        self._wait_ms = int(wait_seconds * 1000)
        self._pgconn.nonblocking = 1
        connection.add_notice_handler(self._notice)
        #: PostgreSQL's warning during the last run. It matters for commits: an operator may cancel
        #: the wait for the standby. PostgreSQL then reports the commit as done, with only a
        #: warning.
        self.warning = ""
        self._pgconn.enter_pipeline_mode()

    def prepare(self, queries: Iterable[Query]) -> None:
        """Prepare all of them, in one round trip."""
        prepared = list(queries)
        for query in prepared:
            self._pgconn.send_prepare(query.name, query.sql.encode(), list(query.types))
        self._answers(len(prepared))

    def ask(self, query: Query, parameters: Sequence[Parameter]) -> list[Row]:
        """The rows of one statement that is not prepared. Raises what `run` raises."""
        self._pgconn.send_query_params(
            query.sql.encode(), [_encode(p) for p in parameters], param_types=list(query.types)
        )
        return _rows(self._answers(1)[0])

    def leave(self) -> None:
        """Give the connection back in its original state."""
        self._pgconn.exit_pipeline_mode()
        self._connection.remove_notice_handler(self._notice)

    def run(self, *statements: Statement) -> list[list[Row]]:
        """Run prepared statements in order. Returns the rows of each, every value as text or None.

        The first statement that fails ends the run: later ones are not executed. Raises
        LedgerUnavailable, LedgerContention, BetTaken or LedgerError.
        """
        self.warning = ""
        try:
            for query, parameters in statements:
                self._pgconn.send_query_prepared(query.name, [_encode(p) for p in parameters])
            return [_rows(result) for result in self._answers(len(statements))]
        except psycopg.OperationalError as error:
            raise LedgerUnavailable(str(error).strip()) from error

    @property
    def usable(self) -> bool:
        """Whether the connection is alive, as far as this process knows."""
        return bool(self._pgconn.status == pq.ConnStatus.OK)

    @property
    def busy(self) -> bool:
        """Whether a statement runs or a transaction is open. Any thread may ask."""
        return bool(self._pgconn.transaction_status != pq.TransactionStatus.IDLE)

    def close(self) -> None:
        """Close the connection. That rolls back an open transaction."""
        self._connection.close()

    def _notice(self, notice: Diagnostic) -> None:
        self.warning = self.warning or notice.message_primary or "PostgreSQL warned."

    def _answers(self, expected: int) -> list[PGresult]:
        self._pgconn.pipeline_sync()
        results: list[PGresult] = []
        error: PGresult | None = None
        while True:
            self._wait()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    continue  # the end of one statement's answer
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    if error is not None:
                        raise _typed(error)
                    if len(results) != expected:
                        raise LedgerError(f"{len(results)} answers to {expected} statements")
                    return results
                if result.status == pq.ExecStatus.FATAL_ERROR:
                    error = error or result
                results.append(result)

    def _wait(self) -> None:
        """Send the rest and read what has arrived.

        Raises LedgerUnavailable after the longest wait.
        """
        poll = select.poll()
        unsent = self._pgconn.flush()
        poll.register(self._pgconn.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
        if not poll.poll(self._wait_ms):
            self.close()
            raise LedgerUnavailable("PostgreSQL did not answer in time.")
        self._pgconn.consume_input()


def present(value: str | None) -> str:
    """A value of a column that is never null. Raises ValueError."""
    if value is None:
        raise ValueError("a column that is never null was null")
    return value


def whole(value: str | None) -> int:
    """A whole number, never null. Raises ValueError."""
    return int(present(value))


def exact(value: str | None) -> Decimal:
    """An exact number, never null. Raises ValueError."""
    return Decimal(present(value))


def maybe_exact(value: str | None) -> Decimal | None:
    """An exact number, or null."""
    return None if value is None else Decimal(value)


def _typed(result: PGresult) -> LedgerError:
    """The failure as one of our errors: by SQLSTATE, never by message."""
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    message = result.error_message.decode(errors="replace").strip()
    error: LedgerError
    if state == _UNIQUE_VIOLATION:
        error = BetTaken(message)
    elif state in _CONTENTION:
        error = LedgerContention(message)
    elif state.startswith(_UNAVAILABLE):
        error = LedgerUnavailable(message)
    else:
        error = LedgerError(f"{state}: {message}")
    error.sqlstate = state
    return error


def _rows(result: PGresult) -> list[Row]:
    value = result.get_value
    columns = range(result.nfields)
    return [
        tuple([None if (v := value(row, column)) is None else v.decode() for column in columns])
        for row in range(result.ntuples)
    ]


def _encode(parameter: Parameter) -> bytes:
    if isinstance(parameter, str):
        return parameter.encode()
    if isinstance(parameter, int):
        return b"%d" % parameter
    elements = [
        "NULL" if value is None else _quoted(value) if isinstance(value, str) else str(value)
        for value in parameter
    ]
    return ("{" + ",".join(elements) + "}").encode()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
