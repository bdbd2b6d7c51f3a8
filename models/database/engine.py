"""SQLAlchemy's engine on our own connections, for operators' work, reports and migrations."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool

from models.database.postgres import connect
from models.database.preconditions import Use

_CONNECT_SECONDS = 5


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


def pool_states(database_url: str, pool: str) -> dict[tuple[str, ...], float]:
    """How many connections the engine of a URL has, as `connection_states` tells of others."""
    found = engine(database_url).pool
    if not isinstance(found, QueuePool):
        return {}
    busy, idle = found.checkedout(), found.checkedin()
    return {(pool, "busy"): busy, (pool, "idle"): idle}
