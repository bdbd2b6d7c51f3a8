"""Real processes of ours, for tests: started, watched, stopped, killed."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

import httpx
from redis import Redis
from rq import Worker

from embedded import Urls
from ops.logins import login_url
from tests.service.support import keys
from tests.service.support.http import http_get
from tests.service.support.patience import SOON, START

_LISTENING = re.compile(r"listening at (http://\S+)")


class Process:
    """A child process, its output in a file; ended with the `with` block."""

    #: Files that it may have open; None: as many as we may.
    open_files: ClassVar[int | None] = None
    _login = "reader"  # who it is to PostgreSQL

    def __init__(self, urls: Urls, *command: str, pass_fds: tuple[int, ...] = (), **env: str):
        most = self.open_files or 0
        limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (most, most))
        self._log = tempfile.NamedTemporaryFile("w+", prefix="betcore-test-")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **common_environment(urls, self._login), **env},
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            pass_fds=pass_fds,
            preexec_fn=limit if most else None,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        return Path(self._log.name).read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self.wait()

    def wait(self, seconds: float = START) -> int:
        """Wait for its end; the exit code."""
        return self._process.wait(seconds)

    def ask_to_end(self) -> None:
        """SIGTERM, unless it has ended."""
        if self.alive:
            self._process.terminate()

    def stop(self) -> None:
        """End it, kindly and then not."""
        if self.alive:
            self.ask_to_end()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self._process.kill()
                self.wait()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def common_environment(urls: Urls, login: str) -> dict[str, str]:
    """What a process of ours is told, with its own login; it takes the keys that are its own."""
    servers = {"DATABASE_URL": login_url(urls.database, login), "REDIS_URL": urls.redis}
    # A busy machine is no overload, but where a test is about that.
    patience = dict.fromkeys(
        ("BETCORE_QUEUE_WAIT_MAX_SECONDS", "BETCORE_LOOP_LAG_MAX_SECONDS"), "3600"
    )
    return servers | patience | keys.ENVIRONMENT | {"BETCORE_LOG_FORMAT": "text"}


class GatewayProcess(Process):
    """A gateway on a port of its own."""

    _login = "gateway"
    _command: tuple[str, ...] = (
        "uvicorn",
        "api.wallet.app:app_of_environment",
        "--factory",
        "--no-access-log",
    )

    def __init__(self, urls: Urls, **env: str) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(2048)
            # Connections inherit it. Uvicorn takes what `--fd` names for a Unix socket and does not
            # set it, so that each answer would wait 40 ms for the client to confirm its headers.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            fd = listening.fileno()
            super().__init__(urls, *self._command, "--fd", str(fd), pass_fds=(fd,), **env)

    def wait_ready(self) -> None:
        """Wait until it can take requests."""
        until(lambda: self._is_ready(), lambda: f"the gateway is not ready: {self.output}", START)

    def _is_ready(self) -> bool:
        assert self.alive, self.output
        try:
            return http_get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False


class BoundedGatewayProcess(GatewayProcess):
    """One as `betcore gateway` serves it, with its own bounds on connections."""

    _command = ("ops.cli", "gateway")


class PortalProcess(Process):
    """The portal, as `betcore portal` serves it, on any free port."""

    _login = "operator"

    def __init__(self, urls: Urls, *options: str, **env: str) -> None:
        """The last of options given twice counts."""
        super().__init__(urls, "ops.cli", "portal", "--port", "0", *options, pass_fds=(), **env)

    def wait_ready(self) -> None:
        """Wait until it can do its work."""
        until(lambda: self._is_ready(), lambda: f"the portal is not ready: {self.output}", START)

    @property
    def url(self) -> str:
        """Where it listens, as its log says."""
        found = _LISTENING.search(self.output)
        assert found, self.output
        return found[1]

    def _is_ready(self) -> bool:
        assert self.alive, self.output
        if not _LISTENING.search(self.output):
            return False
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False


class WorkerProcess(Process):
    """A worker, started by RQ's own command line."""

    _login = "worker"
    _started = 0

    def __init__(self, urls: Urls, **env: str) -> None:
        WorkerProcess._started += 1
        self.name = f"worker-{os.getpid()}-{WorkerProcess._started}"
        self._redis_url = urls.redis
        options = ("--name", self.name, "--worker-class", "workers.worker.BatchWorker")
        command = ("rq.cli", "worker", "bets", *options, "-u", urls.redis)
        super().__init__(urls, *command, pass_fds=(), **env)

    def wait_ready(self) -> None:
        """Wait until RQ knows it."""
        with Redis.from_url(self._redis_url) as redis:
            until(
                lambda: any(worker.name == self.name for worker in Worker.all(redis)),
                lambda: f"the worker is not registered: {self.output}",
                START,
            )


def until(
    holds: Callable[[], bool],
    otherwise: Callable[[], str] = lambda: "it did not come true",
    seconds: float = SOON,
) -> float:
    """Wait until a condition holds; the seconds it took. Fails the test when it never does."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, otherwise()
        time.sleep(0.02)
    return time.monotonic() - began
