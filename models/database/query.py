"""Statements to prepare, and the statements that begin and end a transaction.

The types of parameters are given by number. Otherwise libpq would have to ask for them.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

INT2S, INT4S, INT8S, TEXTS, NUMERICS, DATES = 1005, 1007, 1016, 1009, 1231, 1182
BOOL, INT4, INT8, TEXT, BYTEA, UUID = 16, 23, 20, 25, 17, 2950


class Query(NamedTuple):
    """A statement to prepare: its name, its SQL, the type numbers of its parameters."""

    name: bytes
    sql: str
    types: tuple[int, ...] = ()


Value = str | int | Decimal | None
ArrayParameter = Sequence[Value]
Parameter = ArrayParameter | str | int
#: A prepared query and its parameters.
Statement = tuple[Query, Sequence[Parameter]]


BEGIN = Query(b"begin", "begin isolation level read committed")
SNAPSHOT = Query(b"snapshot", "begin isolation level repeatable read, read only")
COMMIT = Query(b"commit", "commit")
ROLLBACK = Query(b"rollback", "rollback")
LIMIT = Query(b"limit", "select set_config('transaction_timeout', $1, true)", (TEXT,))

#: It makes the next commit wait until the standby has all that is visible now. A crash or a
#: cancelled wait can make visible what the standby does not have yet. Nobody may report that before
#: (docs/FAILOVER.md). It writes to no table. Without a synchronous standby it does nothing.
REPLICATED = Query(
    b"replicated",
    """
    select case when current_setting('synchronous_standby_names') <> ''
           then set_config('synchronous_commit', 'on', true)
                || pg_logical_emit_message(true, 'betcore', '')::text end
    """,
)

TRANSACTION = (BEGIN, SNAPSHOT, COMMIT, ROLLBACK, LIMIT, REPLICATED)
