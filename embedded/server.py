"""Starts one server under a keeper, waits until it answers, and stops it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded import descriptors, keeper
from embedded.errors import ServerDidNotStart
from embedded.places import Account

ANSWER_WITHIN_SECONDS = 300.0  # for a start; recovery after a crash reads the server's log first
KEEPER_ENDS_WITHIN_SECONDS = 4.0 * keeper.STOP_WITHIN_SECONDS
LOG, EARLIER_LOG = "log", "log.before"
TAIL_CHARACTERS = 2_000  # length of the end of the log that an error quotes


@dataclass(frozen=True)
class Recipe:
    """What to run as a server, and how to find out whether it answers."""

    name: str
    command: list[str]
    home: Path  # folder of the lock and the log
    account: Account | None
    sockets: Path  # folder of its sockets, removed at the end
    url: str
    stop_signal: int
    kill_signal: int
    throw_away: tuple[Path, ...]  # folders to remove at the end; then home's parent, if empty
    trouble: Callable[[], str]  # "" if it answers, otherwise the reason


class Server:
    """A running server. It ends at the latest with this process.

    As a context manager, it ends with the context.
    """

    def __init__(self, url: str, process: subprocess.Popen[bytes], owner: int) -> None:
        self.url = url
        self.pid = 0  # pid of the server itself, not of its keeper
        self._keeper = process
        self._owner: int | None = owner  # our end of the keeper's socket

    def stop(self, immediate: bool = False) -> None:
        """Stop the server, and wait until it has ended. Harmless if it has ended already.

        `immediate` stops it as a crash would: SIGQUIT for PostgreSQL, SIGKILL for Valkey.
        """
        if self._owner is not None:
            if immediate:
                with contextlib.suppress(BrokenPipeError):  # the keeper ended by itself
                    os.write(self._owner, keeper.IMMEDIATELY)
            descriptors.close(self._owner)  # tells the keeper to end
            self._owner = None
        try:
            self._keeper.wait(KEEPER_ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()  # on Linux the kernel then signals its server
            self._keeper.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def launch(recipe: Recipe, lock: int) -> Server:
    """Start the server, and wait until it answers.

    The server shares `lock`, a descriptor, from now on. Raises ServerDidNotStart, with the end of
    the log.
    """
    log = _fresh_log(recipe.home)
    ours, theirs = socket.socketpair()
    with theirs:
        process = _start_keeper(_orders(recipe, theirs.fileno(), lock), log)
    owner = descriptors.guard(ours.detach())
    server = Server(recipe.url, process, owner)
    try:
        server.pid = _read_pid(owner)
        _wait_for_answer(recipe, process, log)
    except BaseException:
        server.stop()
        raise
    return server


def server_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` without PGPORT, PGDATA and the like, which PostgreSQL would obey."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}


def _fresh_log(home: Path) -> Path:
    """Return the path of an empty log that only we can read. The previous run's log is kept."""
    log = home / LOG
    if log.exists():
        log.replace(home / EARLIER_LOG)
    os.close(os.open(log, os.O_CREAT | os.O_WRONLY, 0o600))
    return log


def _orders(recipe: Recipe, owner: int, lock: int) -> keeper.Orders:
    remove, remove_if_empty = [], [recipe.sockets, recipe.sockets.parent]
    if recipe.throw_away:
        remove = [recipe.sockets, *recipe.throw_away]
        remove_if_empty.append(recipe.home.parent)
    return keeper.Orders(
        command=recipe.command,
        cwd=str(recipe.home),
        owner=owner,
        lock=lock,
        stop_signal=recipe.stop_signal,
        kill_signal=recipe.kill_signal,
        uid=recipe.account and recipe.account.uid,
        gid=recipe.account and recipe.account.gid,
        remove=[str(folder) for folder in remove],
        remove_if_empty=[str(folder) for folder in remove_if_empty],
    )


def _start_keeper(orders: keeper.Orders, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  # our own script
            # Isolated and without site-packages: it starts in 20 ms and imports nothing of ours.
            [sys.executable, "-I", "-S", keeper.__file__, json.dumps(asdict(orders))],
            cwd=orders.cwd,
            env=server_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,  # never our caller's: that would keep their pipe open
            pass_fds=[orders.owner, orders.lock],
            start_new_session=True,
        )


def _read_pid(owner: int) -> int:
    """Return the server's pid, as its keeper reports it, or 0 if it could not be started."""
    line = b""
    while not line.endswith(b"\n"):
        if not (more := os.read(owner, 20)):
            return 0
        line += more
    return int(line)


def _wait_for_answer(recipe: Recipe, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + ANSWER_WITHIN_SECONDS
    while trouble := recipe.trouble():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-TAIL_CHARACTERS:]
            raise ServerDidNotStart(f"{recipe.name} did not start: {trouble}\n{log}:\n{tail}")
        time.sleep(0.02)
