"""Starts the processes of a contender, waits until they work, and leaves none behind."""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

from redis import Redis
from rq import Worker

from bench.contender import KEYS, Running
from embedded import Urls
from models.errors import BetcoreError
from ops.logins import login_url
from server.uvicorn_server import listen

ROOT = Path(__file__).parents[2]
_READY_WITHIN_SECONDS = 60.0
_ENDS_WITHIN_SECONDS = 15.0
_LOOK_EVERY_SECONDS = 0.05
_TAIL_CHARACTERS = 2000
# Without `site`, an editable installation adds no module: all of ours come from the tree.
_PYTHON = (sys.executable, "-S", "-m")


class DidNotStart(BetcoreError):  # noqa: N818 - named for what it is about
    """A contender's process did not become ready."""


class Processes:
    """The processes of one contender, by role; ended with the `with` block that `started` makes."""

    def __init__(
        self, urls: Urls, stack: ExitStack, environment: Mapping[str, str], tree: Path
    ) -> None:
        packages = sysconfig.get_path("purelib")
        self._environment = (
            os.environ
            | environment
            | KEYS
            | {
                "DATABASE_URL": urls.database,  # a rival's process does what gateway and worker do
                "REDIS_URL": urls.redis,
                "PYTHONPATH": os.pathsep.join([str(tree), packages]),
            }
        )
        self._tree = tree
        self._urls = urls
        self._logs_in = False
        self._stack = stack
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
        stack.callback(self._log.close)
        self._children: dict[str, list[subprocess.Popen[bytes]]] = {}
        stack.callback(self._stop)

    def log_in(self) -> None:
        """From now on a process logs in to PostgreSQL as its role, as ours do when shipped."""
        self._logs_in = True

    def gateways(self, count: int, *command: str) -> str:
        """Start gateways on one listening socket, wait until all are ready; their URL.

        `command` is a Python module and its arguments; `--fd` and `--ready-fd` are added, as
        `betcore gateway` has them. Raises DidNotStart.
        """
        with listen("127.0.0.1", 0) as listener:
            fd = listener.fileno()
            ready = [self._gateway(fd, *command) for _ in range(count)]
            for pipe in ready:
                self._wait_until(lambda pipe=pipe: _said_something(pipe))  # type: ignore[misc]
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def workers(self, count: int, *command: str) -> None:
        """Start RQ workers and wait until RQ knows them; `--name` is added. Raises DidNotStart."""
        names = {f"bench-{uuid4().hex}" for _ in range(count)}
        for name in sorted(names):
            self._start("worker", [*command, "--name", name])
        with Redis.from_url(self._urls.redis) as redis:
            self._wait_until(lambda: names <= {worker.name for worker in Worker.all(redis)})

    def run(self, *command: str) -> str:
        """Run one command to its end; what it prints. Raises DidNotStart when it fails."""
        done = subprocess.run(  # noqa: S603 - our own modules
            [*_PYTHON, *command],
            cwd=self._tree,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stdout + done.stderr)[-_TAIL_CHARACTERS:]
            raise DidNotStart(f"{' '.join(command)} failed:\n{said}")
        return done.stdout

    def running(self, url: str) -> Running:
        """What the benchmark is told."""
        pids = {role: [child.pid for child in of] for role, of in self._children.items()}
        return Running(url, pids)

    def _gateway(self, listener: int, *command: str) -> int:
        """Start one; the end of a pipe on which it says that it is ready."""
        ours, theirs = os.pipe()
        self._stack.callback(os.close, ours)
        os.set_blocking(ours, False)
        try:
            fds = ("--fd", str(listener), "--ready-fd", str(theirs))
            self._start("gateway", [*command, *fds], (listener, theirs))
        finally:
            os.close(theirs)
        return ours

    def _start(self, role: str, command: Sequence[str], fds: Sequence[int] = ()) -> None:
        login = {"DATABASE_URL": login_url(self._urls.database, role)} if self._logs_in else {}
        child = subprocess.Popen(  # noqa: S603 - our own modules
            [*_PYTHON, *command],
            cwd=self._tree,
            env=self._environment | login,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=fds,
        )
        self._children.setdefault(role, []).append(child)

    def _wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while not holds():
            ended = any(child.poll() is not None for of in self._children.values() for child in of)
            if ended or time.monotonic() > deadline:
                self._log.seek(0)
                said = self._log.read().decode(errors="replace")
                raise DidNotStart(f"A contender did not start:\n{said[-_TAIL_CHARACTERS:]}")
            time.sleep(_LOOK_EVERY_SECONDS)

    def _stop(self) -> None:
        """End every process, gateways first, so that what they sent to workers is answered."""
        for role in sorted(self._children):
            for child in self._children[role]:
                child.terminate()
            for child in self._children[role]:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(_ENDS_WITHIN_SECONDS)
                child.kill()  # of one that has ended, nothing
                child.wait()


@contextmanager
def started(urls: Urls, tree: Path = ROOT, **environment: str) -> Iterator[Processes]:
    """Processes of the code in a folder, on these servers; all are ended when the block ends."""
    with ExitStack() as stack:
        yield Processes(urls, stack, environment, tree)


def _said_something(pipe: int) -> bool:
    try:
        return bool(os.read(pipe, 1))
    except BlockingIOError:
        return False
