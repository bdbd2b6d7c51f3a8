"""Conditions of PostgreSQL: a server is used, or refused in one line with cause and cure."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest

from embedded import Urls
from models.database import preconditions
from models.database.engine import engine
from models.database.preconditions import newest_revision
from models.database.transactions import transaction
from models.errors import UnsupportedDatabase
from models.ledger.gateway_reads import GatewayReads
from models.ledger.ledger import LedgerConnection
from models.migrate import migrate
from tests.service.support.databases import fresh_database, name_of
from tests.service.support.http import http_get
from tests.service.support.ledger_world import balance_of, ledger_on, new_players, running, taken
from tests.service.support.operator_cli import Operator
from tests.service.support.processes import GatewayProcess, common_environment, until
from tests.service.support.proxy import Proxy, as_it_is, postgres_proxy, through
from tests.service.support.up_world import betcore
from tests.service.support.world import World
from workers.jobs import run

POOLER = "A connection pooler stands between betcore and PostgreSQL"
_KEY = b"K\0\0\0\x0c"  # BackendKeyData: the process that serves this connection
_ALTER = "alter database {} set {}"


@pytest.fixture(scope="module")
def tables(ledger_world: World) -> Iterator[str]:
    """A database with our tables, to be copied."""
    with fresh_database(ledger_world) as url:
        assert migrate(url) == newest_revision()
        yield name_of(url)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_of_another_encoding_is_refused_by_everything(
    ledger_world: World, encoding: str
) -> None:
    made_with = f"encoding '{encoding}' locale 'C' template template0"

    with fresh_database(ledger_world, made_with) as url:
        for line in refusals(url, migrate, operate, serve, read):
            assert f"is {encoding}, and betcore needs UTF8" in line
            assert "create database" in line


def test_an_old_version_is_refused_by_everything(ledger_world: World) -> None:
    with proxied(ledger_world) as (url, proxy):
        proxy.rewrite = seems_of_version_16

        for line in refusals(url, migrate, operate, serve, read):
            assert line == "PostgreSQL 17 or newer is needed; this is 16."


def test_a_pooler_is_refused_by_everything(ledger_world: World) -> None:
    with proxied(ledger_world) as (url, proxy):
        proxy.rewrite = invents_a_process
        found = refusals(url, migrate, operate, serve, read)
        proxy.rewrite = knows_no_options
        found += refusals(url, migrate, operate, serve, read)

    assert len(found) == 8
    for line in found:
        assert line.startswith(POOLER)
        assert "connect to PostgreSQL itself" in line


def test_processes_behind_a_pooler_say_so_and_a_gateway_goes_on_once_it_is_gone(
    ledger_world: World, tmp_path: Path
) -> None:
    with postgres_proxy(ledger_world.urls) as proxy:
        proxy.rewrite = invents_a_process
        urls = through(ledger_world.urls, postgres=proxy)
        environment = common_environment(urls, "worker")
        with GatewayProcess(urls) as gateway:
            worker = betcore("worker", cwd=tmp_path, **environment)
            until(lambda: POOLER in readiness(gateway), lambda: gateway.output)
            proxy.rewrite = as_it_is
            gateway.wait_ready()

    assert worker.returncode == 1
    assert worker.stdout == ""
    assert worker.stderr.splitlines()[-1].startswith(f"betcore: {POOLER}")
    assert "Traceback" not in worker.stderr


def test_jobs_wait_while_a_pooler_stands_in_between(
    ledger_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    [player] = new_players(ledger_world, "10")

    with (
        postgres_proxy(ledger_world.urls) as proxy,
        ledger_on(through(ledger_world.urls, postgres=proxy)) as ledger,
    ):
        assert run(ledger, [taken(player.bet(1))])[0].result is not None
        proxy.rewrite = invents_a_process
        proxy.cut()
        with running(partial(run, ledger, [taken(player.bet(2), 30)])) as ends:
            until(lambda: POOLER in caplog.text)
            proxy.rewrite = as_it_is

    assert ends.result()[0].result is not None
    assert balance_of(ledger_world, player) == 7


def test_a_server_that_takes_no_writes_is_for_commands_that_read(
    ledger_world: World, tables: str
) -> None:
    with fresh_database(ledger_world, f"template {tables}") as url:
        alter(ledger_world, url, "default_transaction_read_only = on")

        for line in refusals(url, migrate, serve):
            assert "PostgreSQL is read-only" in line
            assert "name the primary in DATABASE_URL" in line
        operate(url)
        read(url)


def test_a_command_that_cannot_write_says_why(ledger_world: World, tables: str) -> None:
    with fresh_database(ledger_world, f"template {tables}") as url:
        world = World(Urls(url, ledger_world.urls.redis))
        alter(ledger_world, url, "default_transaction_read_only = on")

        refusal = Operator(world, "").refusal("provider", "add", "Nobody")
        world.close()

    assert refusal.startswith("PostgreSQL is read-only: it is a replica, or")


def test_without_tables_everything_says_what_to_run(ledger_world: World) -> None:
    with fresh_database(ledger_world) as url:
        for line in refusals(url, operate, serve, read):
            assert line.endswith("run `betcore migrate`.")


def test_older_tables_are_refused_and_migrated(ledger_world: World, tables: str) -> None:
    with fresh_database(ledger_world, f"template {tables}") as url:
        set_revision(url, "0000")
        for line in refusals(url, operate, serve, read):
            assert line == (
                f"The tables are of revision 0000; this version needs {newest_revision()}:"
                " run `betcore migrate`."
            )


def test_newer_tables_are_served_until_the_last_process_is_new_but_not_operated_on(
    ledger_world: World, tables: str, caplog: pytest.LogCaptureFixture
) -> None:
    with fresh_database(ledger_world, f"template {tables}") as url:
        set_revision(url, "9998")

        serve(url)
        read(url)
        assert "the tables are of revision 9998" in caplog.text
        for line in refusals(url, operate, migrate):
            assert "does not know: use the version that made them" in line


def test_tables_in_another_schema_are_not_made_a_second_time(ledger_world: World) -> None:
    with fresh_database(ledger_world) as url:
        with psycopg.connect(url) as connection:
            connection.execute("create schema betting")
        named = f"{url}&options=-csearch_path%3Dbetting"
        migrate(named)

        for line in refusals(url, migrate, operate, serve, read):
            assert "The tables are in schema betting" in line
            assert "options=-csearch_path%3Dbetting" in line
        operate(named)
        serve(named)
        engine(named).dispose()


def test_a_role_without_triggers_and_foreign_keys_is_refused(
    ledger_world: World, tables: str
) -> None:
    with fresh_database(ledger_world, f"template {tables}") as url:
        alter(ledger_world, url, "session_replication_role = replica")

        for line in refusals(url, migrate, operate, serve, read):
            assert line.startswith("session_replication_role is replica")
            assert "reset session_replication_role" in line


def test_a_server_that_may_forget_is_warned_of_once(
    ledger_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    preconditions._warn.cache_clear()  # other tests have met this server

    for _ in range(2):
        serve(ledger_world.urls.database)

    assert caplog.text.count("PostgreSQL has fsync = off, full_page_writes = off") == 1


def test_a_service_of_libpq_is_no_url(ledger_world: World) -> None:
    for line in refusals(f"{ledger_world.urls.database}&service=mine", migrate, operate, serve):
        assert line.startswith("DATABASE_URL names a service")


def serve(url: str) -> None:
    """Connect as a worker does when it starts."""
    connection = LedgerConnection(url, wait_seconds=8, connect_seconds=2)
    try:
        connection.check()
    finally:
        connection.close()


def read(url: str) -> None:
    """Connect as a gateway does to a replica."""
    reads = GatewayReads(url, connect_seconds=2, answer_seconds=8, may_be_replica=True)
    try:
        reads.directory()
    finally:
        reads.close()


def operate(url: str) -> None:
    """Connect as a command does."""
    try:
        with transaction(url) as session:
            session.connection()
    finally:
        engine(url).dispose()


def refusals(url: str, *ways: Callable[[str], object]) -> list[str]:
    """The line with which each way to connect is refused."""
    lines = []
    for way in ways:
        with pytest.raises(UnsupportedDatabase) as refused:
            way(url)
        lines.append(str(refused.value))
        assert "\n" not in lines[-1]
    return lines


@contextmanager
def proxied(world: World) -> Iterator[tuple[str, Proxy]]:
    """The world's database behind a proxy."""
    with postgres_proxy(world.urls) as proxy:
        yield through(world.urls, postgres=proxy).database, proxy


def alter(world: World, url: str, setting: str) -> None:
    """Give a database a default."""
    world.execute(_ALTER.format(name_of(url), setting))


def set_revision(url: str, revision: str) -> None:
    """Say that the tables are of another revision."""
    with psycopg.connect(url) as connection:
        connection.execute("update alembic_version set version_num = %s", (revision,))


def readiness(gateway: GatewayProcess) -> str:
    """The message of a 503 of /readyz, "" if it is another answer or none."""
    try:
        answer = http_get(f"{gateway.url}/readyz")
    except httpx.TransportError:
        return ""
    return str(answer.json()["message"]) if answer.status_code == 503 else ""


def invents_a_process(message: bytes, from_client: bool) -> bytes:
    """Like PgBouncer, tell clients of a process that does not exist."""
    before, key, after = message.partition(_KEY)
    return message if from_client or not key else before + key + b"\x7f\xff\xff\x01" + after[4:]


def knows_no_options(message: bytes, from_client: bool) -> bytes:
    """Like PgBouncer, refuse a startup packet with options."""
    if from_client or message[:1] != b"R":
        return message
    fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


def seems_of_version_16(message: bytes, from_client: bool) -> bytes:
    """Greet as PostgreSQL does, but with version 16."""
    return (
        message
        if from_client
        else message.replace(b"server_version\x0018", b"server_version\x0016")
    )
