"""What the tests of embedded servers share: a process that owns some, and how to ask them."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import psycopg
from redis import Redis

from embedded import Urls
from tests.service.support.patience import START
from tests.source import ROOT

# A process that runs servers, says where, and ends when it is told to or killed.
OWNER = """
import json, os, signal, sys, time
from dataclasses import asdict
from pathlib import Path
from embedded import embedded_servers, temporary_servers
servers = embedded_servers(Path(sys.argv[1])) if sys.argv[1:] else temporary_servers()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
with servers as urls:
    {before}
    try:
        print(json.dumps(asdict(urls)), flush=True)  # from here on it may be interrupted
        sys.stdin.read()
    except KeyboardInterrupt:
        {on_interrupt}
"""


@contextmanager
def owner(
    folder: Path | None = None, *, before: str = "pass", on_interrupt: str = "pass"
) -> Iterator[tuple[subprocess.Popen[str], Urls]]:
    """A process that runs servers on `folder`, None: temporary ones; it ends with its stdin."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER.format(before=before, on_interrupt=on_interrupt)]
        + ([str(folder)] if folder else []),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process, Urls(**json.loads(cast("IO[str]", process.stdout).readline()))
        finally:
            process.kill()


def ask(urls: Urls, query: str) -> object:
    with psycopg.connect(urls.database) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def remember(urls: Urls, number: int) -> None:
    with psycopg.connect(urls.database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
        connection.execute("DELETE FROM kept")
        connection.execute("INSERT INTO kept VALUES (%s)", (number,))
    with Redis.from_url(urls.redis) as redis:
        redis.set("kept", number)


def recall(urls: Urls) -> tuple[object, int]:
    with Redis.from_url(urls.redis, decode_responses=True) as redis:
        return ask(urls, "SELECT number FROM kept"), int(cast("str", redis.get("kept")))


def server_pids(folder: Path, urls: Urls) -> list[int]:
    (postmaster,) = folder.glob("postgres/pg*/postmaster.pid")
    with Redis.from_url(urls.redis) as redis:
        return [int(postmaster.read_text().split()[0]), int(redis.info()["process_id"])]


def socket_of(redis_url: str) -> Path:
    return Path(redis_url.removeprefix("unix://").partition("?")[0])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits for its parent to notice its end does not."""
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):  # even while it is read
        return False


def until(condition: Callable[[], bool], *, seconds: float = START) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
