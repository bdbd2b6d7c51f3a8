"""Processes of ours under a process manager: one that ends is started again."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from embedded import Urls
from tests.crash.points import ARMED_FILE, GATEWAY, WITHOUT, WORKER
from tests.service.support.processes import common_environment
from tests.service.support.proxy import Proxy

_STOP_WITHIN_SECONDS = 20.0


class Supervised(ABC):
    """One place for a process, such as `worker-2`; `start` it, then it runs until `end`."""

    role = ""

    def __init__(
        self, name: str, urls: Urls, folder: Path, delay: Callable[[], float], without: str
    ) -> None:
        """Logs and arms in `folder`; `delay()` is how long a process that ended is missing.

        `without`: a guard that the process lacks, '' none.
        """
        self.name = name
        self.armed_file = folder / f"{name}.armed"
        self.starts = 0
        self._urls = urls
        self._log = folder / f"{name}.log"
        self._delay = delay
        self._without = without
        self._ending = threading.Event()
        self._held = threading.Event()  # set: it may be started
        self._held.set()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._supervise, name=name, daemon=True)

    def start(self) -> None:
        """Start the process, and again whenever it ends."""
        self._thread.start()

    def hold(self) -> None:
        """Start nothing until `release`."""
        self._held.clear()

    def release(self) -> None:
        """Start again what ended meanwhile."""
        self._held.set()

    def signal(self, number: signal.Signals) -> float:
        """Send it a signal; the time just before. One that has just ended does not mind."""
        at = time.time()
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
        return at

    def end(self) -> None:
        """End it for good."""
        self._ending.set()
        self._held.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(_STOP_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join(_STOP_WITHIN_SECONDS)

    def _supervise(self) -> None:
        while not self._ending.is_set():
            with self._log.open("ab") as log:
                self._process = self._launch(log.fileno())
            self.starts += 1
            if self._ending.is_set():
                self._process.terminate()
            self._process.wait()
            self._ending.wait(self._delay())
            self._held.wait()

    @abstractmethod
    def _launch(self, log: int) -> subprocess.Popen[bytes]: ...

    def _run(self, log: int, *arguments: str, fd: int | None = None) -> subprocess.Popen[bytes]:
        common = common_environment(self._urls, self.role)
        leash = ("--with-parent", str(os.getpid()))  # it ends with us, however we end
        return subprocess.Popen(
            [sys.executable, "-m", "tests.crash.launch", *leash, *arguments],
            env={
                **os.environ,
                **common,
                ARMED_FILE: str(self.armed_file),
                WITHOUT: self._without,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=() if fd is None else (fd,),
        )


class Worker(Supervised):
    """A worker; each start has a name of its own, as RQ wants."""

    role = WORKER

    def _launch(self, log: int) -> subprocess.Popen[bytes]:
        return self._run(log, "worker", "--name", f"{self.name}-{self.starts + 1}")


class Gateway(Supervised):
    """A gateway behind a proxy, which always knows the port of the present process."""

    role = GATEWAY

    def __init__(
        self,
        name: str,
        urls: Urls,
        folder: Path,
        delay: Callable[[], float],
        without: str,
        front: Proxy,
    ) -> None:
        super().__init__(name, urls, folder, delay, without)
        self.front = front

    def _launch(self, log: int) -> subprocess.Popen[bytes]:
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            process = self._run(
                log, "gateway", "--fd", str(listening.fileno()), fd=listening.fileno()
            )
            self.front.server = listening.getsockname()[1]
        return process
