"""Durable PostgreSQL and Valkey that a campaign may kill, freeze, empty and leave without disk."""

import os
import resource
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

import psycopg
from redis import Redis

from embedded import Server, Urls, start_postgres, start_redis
from embedded.binaries import find_redis

SERVERS = (POSTGRES, VALKEY) = ("postgres", "valkey")
# When each transfer was committed: the oracle wants to know.
_POSTGRES_SETTINGS = {"track_commit_timestamp": "on", "log_min_messages": "fatal"}
# A file that may not grow is our full disk. The kernel also sends a signal then, which ends the
# program unless it is ignored, as no full disk does.
_WITHOUT_THE_SIGNAL = """#!/bin/sh
trap '' XFSZ
exec {program} "$@"
"""


class Servers:
    """The two servers on one folder; both run until something here ends them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = folder / "valkey-server"
        self._program.write_text(_WITHOUT_THE_SIGNAL.format(program=find_redis()))
        self._program.chmod(stat.S_IRWXU)
        self._redis = self._start_valkey()
        try:
            self._postgres = start_postgres(folder, settings=_POSTGRES_SETTINGS)
        except BaseException:
            self._redis.stop()
            raise
        self.urls = Urls(self._postgres.url, self._redis.url)

    def crash(self, name: str) -> None:
        """End a server as a crash would: SIGQUIT for PostgreSQL, SIGKILL for Valkey."""
        self._server(name).stop(immediate=True)

    def kill(self, name: str) -> None:
        """SIGKILL a server with all its processes."""
        self.signal(name, signal.SIGKILL)
        self._server(name).stop(immediate=True)

    def revive(self, name: str, *, emptied: bool = False) -> None:
        """Start a server again and wait until it answers; `emptied`: Valkey without its data."""
        if name == POSTGRES:
            self._postgres = start_postgres(self._folder, settings=_POSTGRES_SETTINGS)
        else:
            if emptied:
                shutil.rmtree(self._folder / "redis" / "appendonlydir")
            self._redis = self._start_valkey()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a server and all its processes a signal."""
        parent = self._server(name).pid
        for pid in (parent, *_children(parent)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """No file of Valkey's can grow any more."""
        logs = (self._folder / "redis" / "appendonlydir").glob("*.incr.aof")
        size = max(log.stat().st_size for log in logs)
        pid = self._redis.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    def refuses_to_write(self) -> bool:
        """Whether Valkey says that it cannot write its log."""
        with Redis.from_url(self.urls.redis) as redis:
            info = redis.info("persistence")
            return isinstance(info, dict) and info["aof_last_write_status"] != "ok"

    def is_idle(self) -> bool:
        """Whether at this moment nothing is queued and no worker has a batch in hand."""
        with Redis.from_url(self.urls.redis) as redis:
            return not redis.exists("rq:queue:bets", "betcore:leases")

    def checkpoint(self) -> None:
        """Let PostgreSQL write everything to its files."""
        with psycopg.connect(self.urls.database, autocommit=True) as connection:
            connection.execute("checkpoint")

    def close(self) -> None:
        """Stop both."""
        self._redis.stop()
        self._postgres.stop()

    def _server(self, name: str) -> Server:
        return self._postgres if name == POSTGRES else self._redis

    def _start_valkey(self) -> Server:
        with patch("embedded.valkey.find_redis", lambda: self._program):
            return start_redis(self._folder)


def _children(parent: int) -> list[int]:
    """The processes whose parent this is."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.parent.name))
    return found
