"""Lets a repeated message pass a few times per window of time, and counts the rest."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Window:
    began: float  # by the clock of the throttle
    said: int = 0
    unsaid: int = 0


class Throttle(Generic[Key]):
    """Lets each key pass a few times per window of time, and counts the rest.

    A window begins with the first message after the previous window. There are as many windows as
    there are keys: use keys that no outsider can choose.
    """

    def __init__(self, every_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`every_seconds` is the length of a window."""
        self.every_seconds = every_seconds
        self._clock = clock
        self._windows: dict[Key, _Window] = {}

    def lets(self, key: Key, most: int) -> bool:
        """Whether to log it: it is one of the first `most` of its window.

        Otherwise it is counted.
        """
        now = self._clock()
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(now)
        elif now - window.began >= self.every_seconds:
            window.began, window.said = now, 0  # `unsaid` stays: it is reported with this window
        if window.said < most:
            window.said += 1
            return True
        window.unsaid += 1
        return False

    def skip(self, key: Key, count: int) -> None:
        """Count this many messages as not logged."""
        window = self._windows.setdefault(key, _Window(self._clock()))
        window.unsaid += count

    def ended(self, *, everything: bool = False) -> list[tuple[Key, int]]:
        """Each key with suppressed messages and their number, of ended windows or of `everything`.

        Each number is returned once, and then forgotten.
        """
        if not self._windows:
            return []
        began_by = float("inf") if everything else self._clock() - self.every_seconds
        over = [key for key, window in self._windows.items() if window.began <= began_by]
        windows = [(key, self._windows.pop(key)) for key in over]
        return [(key, window.unsaid) for key, window in windows if window.unsaid]
