"""The servers of a benchmark: durable, as shipped, on a folder that is thrown away."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from redis import Redis

from embedded import Urls, embedded_servers, temporary_servers
from models.database.postgres import connect
from models.database.preconditions import Use
from models.migrate import migrate
from ops.logins import login_url, make_logins

# On a disk: /tmp is memory on some machines, where fsync costs nothing.
_BELOW = "/var/tmp"  # noqa: S108 - the folder below it is ours alone
# PostgreSQL alone is given as many connections as a gateway is; all else is as shipped.
_POSTGRES = {"max_connections": "200"}
_TABLES = """
    select relname from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r'
"""


@contextmanager
def bench_servers(*, durable: bool = True) -> Iterator[Urls]:
    """Run PostgreSQL and Valkey, migrated and empty, for as long as this context lives.

    `durable`: fsync, synchronous_commit and the append-only file are on, as `betcore up` has them;
    without it the servers are quick and forget, for a test of the benchmark itself. Raises what
    `embedded_servers` and `migrate` raise.
    """
    with bare_servers(durable=durable) as urls:
        make_logins(urls.database)
        migrate(login_url(urls.database, "migrator"))
        yield urls


@contextmanager
def bare_servers(*, durable: bool = True) -> Iterator[Urls]:
    """As `bench_servers`, but without tables."""
    with ExitStack() as stack:
        if durable:
            folder = Path(tempfile.mkdtemp(prefix="betcore-bench-", dir=_BELOW))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            urls = stack.enter_context(embedded_servers(folder, postgres_settings=_POSTGRES))
        else:
            urls = stack.enter_context(temporary_servers(postgres_settings=_POSTGRES))
        yield urls


@contextmanager
def connected(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection in one transaction, which is committed at the end."""
    with _connect(database_url) as connection, connection.transaction():
        yield connection


def empty_redis(urls: Urls, appendfsync: str) -> None:
    """Give the next contender an empty Redis, whose log is written out as `appendfsync` says."""
    with Redis.from_url(urls.redis) as redis:
        redis.flushall()
        redis.config_set("appendfsync", appendfsync)


def query(database_url: str, statement: LiteralString, **values: object) -> list[tuple[Any, ...]]:
    """The rows of one statement in a transaction of its own, on a connection of its own.

    A connection kept open would hold back what PostgreSQL tidies up during a run.
    """
    with connected(database_url) as connection:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def settle(database_url: str) -> None:
    """Leave nothing of what was just filled in to be tidied up while something is measured.

    Tables that are still empty are left alone: known to be empty, they would be planned for as
    such, which a new installation does not know of its own.
    """
    with _connect(database_url) as connection:  # VACUUM is not for a transaction
        filled = [name for (name,) in connection.execute(_TABLES) if _has_rows(connection, name)]
        tables = sql.SQL(", ").join(map(sql.Identifier, filled))
        connection.execute(sql.SQL("vacuum analyze {}").format(tables))
        connection.execute("checkpoint")


def _has_rows(connection: psycopg.Connection, table: str) -> bool:
    ask = sql.SQL("select from {} limit 1").format(sql.Identifier(table))
    return connection.execute(ask).rowcount > 0


def _connect(database_url: str) -> psycopg.Connection:
    # The tables may be of another revision (bench/against.py).
    return connect(database_url, Use.MIGRATE, connect_seconds=10, wait_seconds=10)
