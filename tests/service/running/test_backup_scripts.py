"""The scripts that copy, restore and follow the PostgreSQL of docker-compose.yml."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedded import temporary_servers
from embedded.binaries import find_postgres, for_account
from embedded.places import postgres_account
from models.migrate import migrate
from tests.service.support.patience import START
from tests.service.support.processes import until
from tests.source import ROOT

SCRIPTS = [
    *(ROOT / "deploy" / "jobs").glob("*.sh"),
    ROOT / "deploy" / "postgres" / "standby.sh",
]
STREAMED = """
    select count(*) = 1 from pg_stat_replication
    where application_name = 'pg_receivewal' and flush_lsn >= pg_current_wal_insert_lsn()
"""
FOLLOWED = """
    select count(*) = 1 and bool_and(application_name = 'standby' and sync_state = 'sync')
    from pg_stat_replication where state = 'streaming'
"""


@dataclass
class Scripts:
    """Runs the scripts as the containers do: not as root, with PostgreSQL's own programs."""

    folder: Path
    programs: Path
    server: dict[str, str]

    @property
    def backups(self) -> Path:
        """The folder of the copies."""
        return self.folder / "backups"

    def start(self, script: str, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Start a script."""
        account = postgres_account(self.folder)
        environment = self.server | {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "BACKUPS": str(self.backups),
            "PASSWORD_FILE": str(self.folder / "password"),
            "TMPDIR": str(self.folder),
            "LC_ALL": "C",
        }
        return subprocess.Popen(
            ["sh", self.folder / script, *words],
            env=environment | more,
            cwd=self.folder,
            user=account and account.uid,
            group=account and account.gid,
            extra_groups=[] if account else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str, *words: str, **more: Any) -> tuple[int, str]:
        """Run a script to its end: its exit code, and what it printed."""
        process = self.start(script, *words, **more)
        said, _ = process.communicate()
        return process.returncode, said

    def copies(self) -> list[str]:
        """The names of the finished copies."""
        return sorted(path.name for path in self.backups.glob("*Z"))

    @contextmanager
    def following(self) -> Iterator[None]:
        """Copy the log meanwhile."""
        process = self.start("backup.sh", "follow")
        try:
            until(lambda: any(self.backups.glob("wal/*.partial")))
            yield
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture(scope="module")
def scripts() -> Iterator[tuple[Scripts, str]]:
    """A server with our tables, the scripts, and the URL of the server."""
    folder = Path(tempfile.mkdtemp(prefix="betcore-", dir="/tmp"))  # others pass it
    try:
        with temporary_servers(redis=False) as urls:
            migrate(urls.database)
            login = conninfo_to_dict(urls.database)
            (folder / "password").write_text(f"{login['password']}\n")
            for script in SCRIPTS:
                shutil.copy(script, folder)
            if account := postgres_account(folder):
                for path in (folder, *folder.iterdir()):
                    os.chown(path, *account)
            programs = for_account(find_postgres()[0], postgres_account(folder))
            server = {"PGHOST": str(login["host"]), "PGUSER": str(login["user"])}
            yield Scripts(folder, programs, server), urls.database
    finally:
        shutil.rmtree(folder)


def test_a_backup_of_the_container_is_restored_to_a_moment_and_old_ones_are_removed(
    scripts: tuple[Scripts, str],
) -> None:
    run, url = scripts
    with psycopg.connect(url, autocommit=True) as database:
        with run.following():
            copied = run.run("backup.sh", "copy")
            database.execute("create table note (text text)")
            database.execute("insert into note values ('before')")
            moment = one(database, "select clock_timestamp()::text")
            database.execute("insert into note values ('after')")
            until(lambda: one(database, STREAMED))
        last_id = one(database, "select last_value from ledger_ids")
        assert copied[0] == 0, copied[1]
        target = run.folder / "18" / "docker"

        restored = run.run("restore.sh", moment, PGDATA=str(target))
        again = run.run("restore.sh", moment, PGDATA=str(target))
        too_early = run.run("restore.sh", "2020-01-01", PGDATA=str(run.folder / "other"))

        assert restored[0] == 0, restored[1]
        assert in_folder(run, target, "select string_agg(text, ',') from note") == "before"
        assert int(in_folder(run, target, "select last_value from ledger_ids")) > last_id + 10**11
        assert again == (1, f"restore.sh: {target} is not empty: use a new volume\n")
        assert too_early == (1, "restore.sh: no backup ended before 2020-01-01\n")
        assert not (run.folder / "other").exists()

        database.execute("select pg_switch_wal()")
        (first,) = run.copies()
        newer = run.run("backup.sh", "copy", KEEP="1")

        assert newer[0] == 0, newer[1]
        assert len(run.copies()) == 1
        assert first not in run.copies()
        assert not list(run.backups.glob("*.unfinished"))


def test_a_standby_fills_itself_counts_only_when_it_is_whole_and_goes_on_after_a_restart(
    scripts: tuple[Scripts, str],
) -> None:
    run, url = scripts
    sockets = run.folder / "sockets"
    sockets.mkdir(mode=0o777)
    sockets.chmod(0o777)
    told = {"PGDATA": str(run.folder / "standby"), "PGPASSFILE": str(run.folder / "pgpass")}
    options = [f"unix_socket_directories={sockets}", "listen_addresses=", "port=5432"]
    words = [word for option in options for word in ("-c", option)]
    there = make_conninfo(url, host=str(sockets))
    copies = set[int]()
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("alter system set synchronous_standby_names = 'standby'")
        database.execute("select pg_reload_conf()")
        database.execute("set synchronous_commit = on")
        for table in ("first", "second"):
            standby = run.start("standby.sh", *words, **told)
            try:
                until(lambda: one(database, FOLLOWED), seconds=START)
                database.execute(f"create table {table} ()".encode())  # waits for the standby
                with psycopg.connect(there, autocommit=True) as reader:
                    until(partial(one, reader, f"select to_regclass('{table}') is not null"))
            finally:
                standby.terminate()
                standby.communicate()
            copies.add((run.folder / "standby").stat().st_ino)
        database.execute("alter system reset synchronous_standby_names")
        database.execute("select pg_reload_conf()")

    assert len(copies) == 1  # the second start went on with what was there


def one(database: psycopg.Connection[Any], question: str) -> Any:
    """The only value of a query's answer."""
    row = database.execute(question.encode()).fetchone()
    assert row
    return row[0]


def in_folder(run: Scripts, cluster: Path, question: str) -> str:
    """Ask a database that no server runs."""
    account = postgres_account(run.folder)
    done = subprocess.run(
        [run.programs / "postgres", "--single", "-D", cluster, "betcore"],
        user=account and account.uid,
        group=account and account.gid,
        extra_groups=[] if account else None,
        cwd=run.folder,
        input=question,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split('= "')[1].split('"')[0]
