"""Pauses calls to a provider after too many failures in a row, and limits how many wait at once.

Each process counts for itself: it needs no Redis, and several portals find out one by one.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cachetools import LRUCache

from outbound.errors import ProviderBusy, ProviderCallFailed, ProviderPaused

_PROVIDERS_MAX = 10_000


class _Line:
    """The calls to one URL of one provider."""

    def __init__(self) -> None:
        self.failures = 0  # in a row
        self.paused_until = 0.0  # monotonic
        self.waiting = 0

    def works(self) -> None:
        """Note that the provider answered."""
        self.failures, self.paused_until = 0, 0.0


class Breaker:
    """One for all calls of a process; they run in one event loop."""

    def __init__(self, failures_max: int, pause_seconds: float, waiting_max: int) -> None:
        self._failures_max = failures_max
        self._pause_seconds = pause_seconds
        self._waiting_max = waiting_max
        self._lines: LRUCache[tuple[str, str], _Line] = LRUCache(_PROVIDERS_MAX)

    @contextmanager
    def call(self, counterparty_id: str, url: str) -> Iterator[None]:
        """The body makes one call. Raises ProviderPaused or ProviderBusy instead of running it.

        After the pause one call is tried at a time. If it fails, another pause begins. Every
        success ends the pause, even that of a call which began before the pause. A provider with a
        new URL begins afresh.
        """
        line = self._lines.get((counterparty_id, url)) or _Line()
        self._lines[counterparty_id, url] = line
        left = line.paused_until - time.monotonic()
        is_trial = line.failures >= self._failures_max
        if left > 0 or (is_trial and line.waiting):
            raise ProviderPaused(
                f"The last {line.failures} calls to the provider failed:"
                f" none is made for {max(left, 1):.0f} s more."
            )
        if line.waiting >= self._waiting_max:
            raise ProviderBusy(f"{line.waiting} calls to the provider wait for an answer already.")
        line.waiting += 1
        try:
            yield
        except ProviderCallFailed as error:
            if error.counts:
                line.failures += 1
                if line.failures >= self._failures_max:
                    line.paused_until = time.monotonic() + self._pause_seconds
            else:
                line.works()  # it answered
            raise
        else:
            line.works()
        finally:
            line.waiting -= 1
