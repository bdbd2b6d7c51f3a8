"""Starts PostgreSQL on a data folder, which it initialises at the first start."""

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

from models.postgres import connect
from models.preconditions import Use
from ops.embedded.binaries import find_postgres, for_account
from ops.embedded.errors import ServerDidNotStart
from ops.embedded.locks import held
from ops.embedded.places import (
    Account,
    data_folder,
    give,
    postgres_account,
    private_folder,
    socket_folder,
)
from ops.embedded.server import TAIL_CHARACTERS, Recipe, Server, launch, server_environment

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
    """Start PostgreSQL with its files in `folder`/postgres; its URL is the same at every start.

    The URL names `database`, made when missing; None: PostgreSQL's own, `postgres`. `settings` win
    over ours. `durable=False`: fsync off, a crash of the machine may ruin the data. `throw_away`:
    the files are removed when the server ends, and `folder` if it is empty then. Raises
    FolderInUse, NoServerBinary, ServerDidNotStart and, for folders or accounts, EmbeddedError.
    """
    programs, major = find_postgres()
    home = private_folder(folder.resolve() / "postgres")
    with held(home) as lock:
        account = postgres_account(home)
        programs = for_account(programs, account)
        cluster = data_folder(home, account) / f"pg{major}"
        if not cluster.exists():
            _initialise(programs, cluster, account, lock, sync=durable)
        sockets = socket_folder(home, account)
        chosen = SETTINGS | ({} if durable else NOT_DURABLE) | dict(settings or {})
        chosen |= {"unix_socket_directories": str(sockets), "port": str(PORT)}
        recipe = Recipe(
            name="PostgreSQL",
            command=[str(programs / "postgres"), "-D", str(cluster), *_options(chosen)],
            home=home,
            account=account,
            sockets=sockets,
            url=_url(sockets, database or SUPERUSER),
            stop_signal=signal.SIGINT,  # disconnects clients, writes a checkpoint
            kill_signal=signal.SIGQUIT,
            throw_away=(home, cluster.parent) if throw_away else (),
            trouble=lambda: _trouble(_url(sockets, SUPERUSER)),
        )
        server = launch(recipe, lock)
    try:
        _make_database(_url(sockets, SUPERUSER), database or SUPERUSER)
    except BaseException:
        server.stop()
        raise
    return server


def _initialise(
    programs: Path, cluster: Path, account: Account | None, lock: int, *, sync: bool
) -> None:
    """Make a cluster aside, then rename it: there is never half of one."""
    aside = cluster.with_name(f"{cluster.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    give(aside, account)
    done = subprocess.run(  # noqa: S603  # the initdb we found
        # Trust: only who can enter the folder of its socket, which is 0700, gets to ask.
        [
            str(programs / "initdb"),
            "--pgdata",
            str(aside),
            "--username",
            SUPERUSER,
            "--auth",
            "trust",
        ]
        + ["--encoding", "UTF8", "--no-locale", "--data-checksums"]
        + ([] if sync else ["--no-sync"]),
        cwd=aside,
        env=server_environment(os.environ),
        user=account and account.uid,
        group=account and account.gid,
        extra_groups=[] if account else None,
        pass_fds=[lock],  # one that outlives us still has the folder
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerDidNotStart(
            f"PostgreSQL's initdb failed in {aside}; a server of your own, in DATABASE_URL, works"
            f" without it:\n{done.stdout[-TAIL_CHARACTERS:]}"
        )
    aside.rename(cluster)
    parent = os.open(cluster.parent, os.O_RDONLY)
    try:
        os.fsync(parent)  # or a power failure could take the new name back, and the data with it
    finally:
        os.close(parent)


def _options(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _url(sockets: Path, database: str) -> str:
    return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={sockets}&port={PORT}"


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
