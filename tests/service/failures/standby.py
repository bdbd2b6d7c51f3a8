"""An installation on a PostgreSQL with a synchronous standby, for tests that lose the primary."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedded import Server, Urls, passwords, start_postgres, start_redis
from embedded.binaries import find_postgres, for_account
from embedded.places import SOCKETS_BELOW, data_folder, postgres_account, private_folder
from embedded.server import server_environment
from tests.service.support.faults import frozen
from tests.service.support.processes import until
from tests.service.support.world import World

# Nothing here is about a disk; without its own flushes a server differs only in being quicker.
_SETTINGS = {"synchronous_commit": "on", "wal_receiver_status_interval": "1s"}
#: What a URL of several servers says besides: that the one which takes writes is meant.
PRIMARY = "target_session_attrs=read-write"
_WAITS_FOR_STANDBY = "select pid from pg_stat_activity where wait_event = 'SyncRep'"


class StandbyWorld(World):
    """A World whose PostgreSQL commits nothing before its standby has it.

    Its URL names both servers, the first primary first.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is for the servers' files."""
        with ExitStack() as starting:
            redis = starting.enter_context(start_redis(folder, durable=False))
            self._folder = folder
            self.primary = starting.enter_context(_start(folder / "a"))
            _copy(self.primary, folder / "a", folder / "b")
            self.standby = starting.enter_context(_start(folder / "b"))
            require_standby(self.primary.url)
            super().__init__(Urls(both(self.primary.url, self.standby.url), redis.url))
            self._servers = starting.pop_all()

    def kill_primary(self) -> None:
        """Kill every process of the primary with SIGKILL, as when its machine dies."""
        for pid in (self.primary.pid, *_backends(self.primary.url)):
            _kill(pid)
        self.primary.stop()

    def promote(self) -> None:
        """Make the standby the primary, as an operator does."""
        ask(self.standby.url, "select pg_promote()")

    def revive_primary(self) -> None:
        """Start the first primary again unchanged, although there is another by now."""
        self.primary = self._servers.enter_context(_start(self._folder / "a"))

    @contextmanager
    def frozen_standby(self) -> Iterator[None]:
        """The standby confirms nothing within the block, and runs again afterwards."""
        with frozen(self.standby.pid, *_backends(self.standby.url)):
            yield

    def waiting_for_standby(self) -> list[int]:
        """The primary's processes that have committed and wait for the standby to have it."""
        return [pid for (pid,) in ask(self.primary.url, _WAITS_FOR_STANDBY)]

    def close_servers(self) -> None:
        """Stop all servers."""
        self._servers.close()


@contextmanager
def standby_world() -> Iterator[StandbyWorld]:
    """A StandbyWorld in a folder of its own, without processes yet."""
    folder = Path(tempfile.mkdtemp(prefix="betcore-", dir=SOCKETS_BELOW))
    folder.chmod(0o711)  # else, run by root, the servers' data would be elsewhere, and stay there
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        world = StandbyWorld(folder)
        ending.callback(world.close_servers)
        ending.callback(world.close)
        yield world


def both(first_url: str, second_url: str) -> str:
    """A URL of two servers. Its user finds the one that takes writes."""
    found = [conninfo_to_dict(url) for url in (first_url, second_url)]
    hosts = ",".join(f"{quote(str(one['host']), safe='')}:{one['port']}" for one in found)
    login = f"{found[0]['user']}:{found[0]['password']}"
    return f"postgresql://{login}@{hosts}/{found[0]['dbname']}?{PRIMARY}"


def require_standby(url: str) -> None:
    """Let this server answer a commit only when a standby has it on its disk."""
    ask(url, "alter system set synchronous_standby_names = '*'")
    ask(url, "select pg_reload_conf()")
    streaming = "select 1 from pg_stat_replication where sync_state = 'sync'"
    until(lambda: bool(ask(url, streaming)), lambda: "no standby became synchronous")


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement on a server, outside a transaction. Returns its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        answer = connection.execute(statement)
        return answer.fetchall() if answer.description else []


def _start(folder: Path) -> Server:
    return start_postgres(folder, durable=False, settings=_SETTINGS)


def _copy(primary: Server, source: Path, folder: Path) -> None:
    """Copy a running primary's files to where a server of `folder` will look for its own.

    Its password as well, which a standby has from the primary. `source` is the primary's folder.
    """
    programs, major = find_postgres()
    home = private_folder(folder / "postgres")
    account = postgres_account(home)
    cluster = data_folder(home, account) / f"pg{major}"
    cluster.mkdir(mode=0o700)
    if account is not None:
        os.chown(cluster, account.uid, account.gid)
    program = for_account(programs, account) / "pg_basebackup"
    # -R: it starts as a standby of this primary.
    place = conninfo_to_dict(primary.url)
    secret = str(place.pop("password"))
    passwords.keep(home, passwords.kept(source / "postgres"))
    command = [
        str(program),
        "-d",
        make_conninfo("", **place),
        "-D",
        str(cluster),
        "-R",
        "-c",
        "fast",
        "--no-sync",
    ]
    done = subprocess.run(
        command,
        cwd=cluster,
        env=server_environment(os.environ) | {"PGPASSWORD": secret},
        user=account and account.uid,
        group=account and account.gid,
        extra_groups=[] if account else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _backends(url: str) -> list[int]:
    """Every process of a server except its first."""
    return [pid for (pid,) in ask(url, "select pid from pg_stat_activity")]


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # the connection that asked has ended
        os.kill(pid, signal.SIGKILL)
