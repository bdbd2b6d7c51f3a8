"""Limits how often somebody may do something, in the memory of this process."""

import time
from collections.abc import Callable

from cachetools import LRUCache

_KNOWN_MAX = 10_000  # whoever is forgotten begins anew


class Buckets:
    """One bucket of tokens per name. It fills with time, and each use takes one token."""

    def __init__(
        self, per_second: float, at_once: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._clock = clock
        self._left: LRUCache[str, tuple[float, float]] = LRUCache(_KNOWN_MAX)  # tokens, since when

    def wait_seconds(self, name: str) -> float:
        """How long until there is a token: 0 if there is one now."""
        return max(0.0, (1 - self._tokens(name)) / self._per_second)

    def take(self, name: str) -> None:
        """Take one token, also if none is left."""
        self._left[name] = (max(0.0, self._tokens(name) - 1), self._clock())

    def _tokens(self, name: str) -> float:
        now = self._clock()
        tokens, since = self._left.get(name, (self._at_once, now))
        return min(self._at_once, tokens + (now - since) * self._per_second)
