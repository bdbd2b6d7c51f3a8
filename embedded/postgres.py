"""Starts PostgreSQL on a data folder. The first start initialises the folder."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from embedded import passwords
from embedded.binaries import find_postgres, for_account
from embedded.errors import ServerDidNotStart
from embedded.locks import held
from embedded.places import (
    Account,
    data_folder,
    flush,
    give,
    postgres_account,
    private_folder,
    socket_folder,
)
from embedded.server import TAIL_CHARACTERS, Recipe, Server, launch, server_environment
from models.database.postgres import connect
from models.database.preconditions import Use

SUPERUSER = "postgres"
DATABASE = "betcore"
PORT = 5432  # names the socket's file; nothing listens on the network

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Of the log that `betcore backup` has not copied yet. It must never fill the disk.
    "max_slot_wal_keep_size": "8GB",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def start_postgres(
    folder: Path,
    *,
    durable: bool = True,
    settings: Mapping[str, str] | None = None,
    database: str | None = DATABASE,
    throw_away: bool = False,
) -> Server:
    """Start PostgreSQL with its files in `folder`/postgres. Its URL is the same at every start.

    The URL has the superuser's name and password. It names `database`, which is made if missing.
    None means PostgreSQL's own database, `postgres`. `settings` override ours. `durable=False`
    turns fsync off: a crash of the machine may then destroy the data. `throw_away` removes the
    files when the server ends, and then `folder` if it is empty. Raises FolderInUse,
    NoServerBinary, ServerDidNotStart, and EmbeddedError for folders or accounts.
    """
    programs, major = find_postgres()
    home = private_folder(folder / "postgres")
    with held(home) as lock:
        account = postgres_account(home)
        programs = for_account(programs, account)
        cluster = data_folder(home, account) / f"pg{major}"
        password = _ready(home, cluster, programs, account, lock, sync=durable)
        sockets = socket_folder(home, account)
        chosen = SETTINGS | ({} if durable else NOT_DURABLE) | dict(settings or {})
        chosen |= {"unix_socket_directories": str(sockets), "port": str(PORT)}
        recipe = Recipe(
            name="PostgreSQL",
            command=[str(programs / "postgres"), "-D", str(cluster), *options(chosen)],
            home=home,
            account=account,
            sockets=sockets,
            url=_url(sockets, password, database or SUPERUSER),
            stop_signal=signal.SIGINT,  # disconnects clients and writes a checkpoint
            kill_signal=signal.SIGQUIT,
            throw_away=(home, cluster.parent) if throw_away else (),
            trouble=lambda: _trouble(_url(sockets, password, SUPERUSER)),
        )
        server = launch(recipe, lock)
    try:
        _make_database(_url(sockets, password, SUPERUSER), database or SUPERUSER)
    except BaseException:
        server.stop()
        raise
    return server


def _ready(
    home: Path, cluster: Path, programs: Path, account: Account | None, lock: int, *, sync: bool
) -> str:
    """Make the cluster if it is missing. Returns the superuser's password.

    Clusters of older versions of betcore accept everybody. This function closes them.
    """
    password = passwords.kept(home)
    if not cluster.exists():
        password = password or passwords.keep(home, passwords.fresh())
        with passwords.as_file(cluster.parent, password, account) as file:
            _initialise(programs, cluster, account, lock, file, sync=sync)
    elif not password or passwords.is_open(cluster):
        password = password or passwords.fresh()
        done = run_program(
            [str(programs / "postgres"), "--single", "-D", str(cluster), SUPERUSER],
            cluster,
            account,
            lock,
            passwords.statement(SUPERUSER, password),
        )
        if done.returncode or "ERROR" in done.stdout:
            raise ServerDidNotStart(
                f"the password of PostgreSQL could not be set:\n{done.stdout[-TAIL_CHARACTERS:]}"
            )
        passwords.demand(cluster, account)
        passwords.keep(home, password)
    return password


def _initialise(
    programs: Path,
    cluster: Path,
    account: Account | None,
    lock: int,
    password_file: Path,
    *,
    sync: bool,
) -> None:
    """Make a cluster in a temporary folder, then rename it: a half-made one is never used."""
    aside = cluster.with_name(f"{cluster.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    give(aside, account)
    command = [str(programs / "initdb"), "--pgdata", str(aside), "--username", SUPERUSER]
    command += ["--auth", "scram-sha-256", "--pwfile", str(password_file)]
    command += ["--encoding", "UTF8", "--no-locale", "--data-checksums"]
    done = run_program(command + ([] if sync else ["--no-sync"]), aside, account, lock)
    if done.returncode:
        raise ServerDidNotStart(
            f"PostgreSQL's initdb failed in {aside}. A server of your own, in DATABASE_URL, does"
            f" not need initdb.\n{done.stdout[-TAIL_CHARACTERS:]}"
        )
    aside.rename(cluster)
    flush(cluster.parent)  # otherwise the rename could be undone, and the data lost


def run_program(
    command: list[str], cwd: Path, account: Account | None, lock: int, said: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs to its end, as `account`. `said` is its input."""
    return subprocess.run(  # noqa: S603  # a program that we found
        command,
        cwd=cwd,
        env=server_environment(os.environ),
        user=account and account.uid,
        group=account and account.gid,
        extra_groups=[] if account else None,
        pass_fds=[lock],  # a program that outlives us still holds the folder
        input=said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def options(settings: Mapping[str, str]) -> list[str]:
    """Return the settings as arguments of `postgres`."""
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _url(sockets: Path, password: str, database: str) -> str:
    place = f"{quote(database, safe='')}?host={sockets}&port={PORT}"
    return f"postgresql://{SUPERUSER}:{password}@/{place}"


def _trouble(url: str) -> str:
    try:
        connect(url, Use.START, connect_seconds=2, wait_seconds=2).close()
    except psycopg.Error as error:
        return re.sub(r"\s+", " ", str(error))
    return ""


def _make_database(url: str, name: str) -> None:
    with connect(url, Use.START, connect_seconds=10, wait_seconds=10) as connection:
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
