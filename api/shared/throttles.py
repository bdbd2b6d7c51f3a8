"""Limits how often somebody may do something, in the memory of this process."""

import time
from collections.abc import Callable

from cachetools import LRUCache

_KNOWN_MAX = 10_000  # whoever is forgotten begins anew


class Bucket:
    """A bucket of tokens. It fills with time, and each use takes one token.

    Every `now` is the time of one monotonic clock, in seconds.
    """

    __slots__ = ("_at", "_at_once", "_left", "_per_second")

    def __init__(self, per_second: float, at_once: float, now: float) -> None:
        """A full bucket, which holds `at_once` tokens at most."""
        self._per_second = per_second
        self._at_once = self._left = at_once
        self._at = now

    def change(self, per_second: float, at_once: float, now: float) -> None:
        """Fill with another speed from now on, up to another number of tokens."""
        self._fill(now)
        self._per_second, self._at_once = per_second, at_once
        self._left = min(self._left, at_once)

    def wait_seconds(self, now: float) -> float:
        """How long until there is a token: 0 if there is one now."""
        self._fill(now)
        return max(0.0, (1 - self._left) / self._per_second)

    def take(self, now: float) -> bool:
        """Take one token if there is one. Returns whether there was one."""
        self._fill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def take_what_is_left(self, now: float) -> None:
        """Take one token, or the rest of the bucket if there is none."""
        if not self.take(now):
            self._left = 0.0

    def _fill(self, now: float) -> None:
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_second)
        self._at = now


class Buckets:
    """One bucket per name."""

    def __init__(
        self, per_second: float, at_once: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """The arguments are those of each bucket."""
        self._of_each = (per_second, at_once)
        self._clock = clock
        self._by_name: LRUCache[str, Bucket] = LRUCache(_KNOWN_MAX)

    def wait_seconds(self, name: str) -> float:
        """How long until there is a token: 0 if there is one now."""
        known = self._by_name.get(name)
        return 0.0 if known is None else known.wait_seconds(self._clock())

    def take(self, name: str) -> None:
        """Take one token, also if none is left."""
        now = self._clock()
        known = self._by_name.get(name)
        if known is None:
            known = self._by_name[name] = Bucket(*self._of_each, now)
        known.take_what_is_left(now)
