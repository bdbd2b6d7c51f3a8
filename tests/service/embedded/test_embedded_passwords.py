"""An embedded PostgreSQL lets nobody in without its password, whatever account asks."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from embedded import Server, Urls, start_postgres
from embedded.binaries import find_postgres, for_account
from embedded.passwords import FILE
from embedded.places import postgres_account
from models.migrate import migrate
from ops.up.servers import Servers
from settings import Settings
from tests.service.support.embedded_world import ask, mode
from tests.service.support.journaled_ledger import bet, ledger_of
from tests.service.support.ledger_copy import WHOLE, LedgerCopy
from tests.service.support.ledger_world import in_time
from tests.service.support.migrating import older

TRUSTING = "local all all trust\nlocal replication all trust\n"  # as older versions had it

#: What the older version knows of accounts.
ACCOUNTS = """
    select id, kind, player_id, provider_id, currency, balance, last_seq from account order by id
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder, initialised by the first test; in /tmp itself, for root's account."""
    parent = Path(tempfile.mkdtemp(prefix="betcore-test-", dir="/tmp"))
    parent.chmod(0o711)
    yield parent / "data"
    shutil.rmtree(parent)


def start(folder: Path) -> Server:
    return start_postgres(folder, durable=False)


def password(server: Server) -> str:
    return urlsplit(server.url).password or ""


def knock(folder: Path, server: Server, *arguments: str, password: str = "") -> str:
    """What PostgreSQL says to a process of the account that it runs as; '' when it lets it in."""
    account = postgres_account(folder / "postgres")
    programs = for_account(find_postgres()[0], account)
    sockets = urlsplit(server.url).query.partition("host=")[2].partition("&")[0]
    done = subprocess.run(
        [programs / "psql", "-h", sockets, "-c", "select 1", "--no-password", *arguments],
        cwd="/",
        env={"PGPASSWORD": password} if password else {},
        user=account and account.uid,
        group=account and account.gid,
        extra_groups=[] if account else None,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


def refuses_everybody(folder: Path, server: Server) -> None:
    """Neither the superuser nor another name gets in without the password, or with another one."""
    for user in ("postgres", "betcore", "nobody"):
        assert "no password supplied" in knock(folder, server, "-U", user, "postgres")
        wrong = knock(folder, server, "-U", user, "postgres", password="another")
        assert "authentication failed" in wrong
    # Not as a standby either, which would be handed everything.
    as_standby = ("-U", "postgres", "dbname=postgres replication=true")
    assert "no password supplied" in knock(folder, server, *as_standby)
    assert knock(folder, server, "-U", "postgres", "postgres", password=password(server)) == ""


def test_a_local_process_of_its_account_needs_the_password(folder: Path) -> None:
    with start(folder) as server:
        refuses_everybody(folder, server)
        assert len(password(server)) >= 32


def test_the_password_is_in_a_file_for_us_alone_and_nowhere_else(folder: Path) -> None:
    with start(folder) as server:
        kept = folder / "postgres" / FILE
        assert (kept.read_text().strip(), mode(kept)) == (password(server), 0o600)
        assert kept.stat().st_uid == os.geteuid()
        holding = [
            path
            for path in folder.rglob("*")
            if path.is_file() and password(server).encode() in path.read_bytes()
        ]
        assert holding == [kept]
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert password(server).encode() not in status.read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended


def test_a_cluster_that_let_everybody_in_asks_for_a_password_from_its_next_start_on(
    folder: Path,
) -> None:
    with start(folder) as server:
        keep(server, 42)
    (cluster,) = folder.glob("postgres/pg[0-9]*")
    (cluster / "pg_hba.conf").write_text(TRUSTING)
    (folder / "postgres" / FILE).unlink()  # there was none

    with start(folder) as server:
        refuses_everybody(folder, server)
        assert kept(server) == 42
        assert mode(cluster / "pg_hba.conf") == 0o600

    with start(folder) as again:
        assert again.url == server.url


def test_a_conversion_that_was_interrupted_is_done_again(folder: Path) -> None:
    with start(folder) as server:
        keep(server, 43)
    (cluster,) = folder.glob("postgres/pg[0-9]*")
    (cluster / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")

    with start(folder) as server:
        refuses_everybody(folder, server)
        assert kept(server) == 43


def test_a_password_that_was_lost_is_replaced_and_the_data_stays(folder: Path) -> None:
    with start(folder) as server:
        keep(server, 44)
    (folder / "postgres" / FILE).unlink()

    with start(folder) as again:
        assert again.url != server.url
        refuses_everybody(folder, again)
        assert kept(again) == 44


def test_what_an_older_version_left_in_the_folder_is_served_by_logins_of_their_own(
    folder: Path,
) -> None:
    with start(folder) as server:
        older(server.url, "0003")
        with psycopg.connect(server.url) as connection:
            connection.execute(WHOLE)
            before = connection.execute(ACCOUNTS).fetchall()
    (cluster,) = folder.glob("postgres/pg[0-9]*")
    (cluster / "pg_hba.conf").write_text(TRUSTING)
    (folder / "postgres" / FILE).unlink()

    configured = Settings(database_url="", redis_url="unix:///nowhere", data_dir=folder)
    with Servers(configured) as servers:
        migrate(servers.settings_for("migrator").database_url)

        with psycopg.connect(servers.settings_for("reader").database_url) as reader:
            assert reader.execute(ACCOUNTS).fetchall() == before
        worker = servers.settings_for("worker").database_url
        with ledger_of(LedgerCopy(worker)) as ledger:
            assert [o and o.code for o in ledger.apply([bet("b", "0", "5")], in_time, 5)] == [1]


def keep(server: Server, number: int) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("create table if not exists kept (number int)")
        connection.execute("delete from kept")
        connection.execute("insert into kept values (%s)", (number,))


def kept(server: Server) -> object:
    return ask(Urls(server.url, ""), "select number from kept")
