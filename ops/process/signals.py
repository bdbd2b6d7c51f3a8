"""Signals of a process that runs others: a request to stop, an urgent one, a child's end."""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Self

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# One request can arrive twice at once. A terminal or service manager signals a whole group, and
# `make` forwards what it gets.
_AGAIN_AFTER_SECONDS = 1.0


class StopRequested(BaseException):
    """SIGTERM, SIGINT or SIGHUP arrived during work that can be abandoned."""


class Signals:
    """As a context, takes over SIGTERM, SIGINT, SIGHUP and SIGCHLD in the main thread."""

    def __init__(self) -> None:
        self.stop = ""  # the name of the first signal that asked to stop
        self.urgent = False  # whether another came a second or more later
        self._stopped_at = 0.0
        self._droppable = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in _STOPPING:
            if signal.getsignal(number) != signal.SIG_IGN:  # ignored, for example by nohup
                self._before[number] = signal.signal(number, self._on_stop)
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)

    def sleep(self, seconds: float) -> None:
        """Wait for a signal, including that of a child's end, for at most `seconds`."""
        select.select([self._read], [], [], max(0.0, seconds))
        with suppress(BlockingIOError):
            os.read(self._read, 1024)

    @contextmanager
    def droppable(self) -> Iterator[None]:
        """Raise StopRequested within the body on a request to stop; elsewhere only set `stop`."""
        self._droppable = True
        try:
            if self.stop:
                raise StopRequested
            yield
        finally:
            self._droppable = False

    def _on_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if not self.stop:
            self.stop = signal.Signals(number).name
            self._stopped_at = time.monotonic()
            if self._droppable:
                raise StopRequested
        elif time.monotonic() - self._stopped_at >= _AGAIN_AFTER_SECONDS:
            self.urgent = True
