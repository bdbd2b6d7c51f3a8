"""Logs the same complaint seldom: an outage is one line every few seconds, not twenty a second."""

import logging
import time
from collections.abc import Iterable

from logs.throttle import Throttle


class WarningThrottle(logging.Filter):
    """Passes a warning (by its text before values are put in) at most once in a while."""

    def __init__(self, every_seconds: float = 5.0) -> None:
        super().__init__()
        self._throttle: Throttle[str] = Throttle(every_seconds)

    def filter(self, record: logging.LogRecord) -> bool:
        """Called by logging."""
        return record.levelno != logging.WARNING or self._throttle.lets(str(record.msg), most=1)


class Reminder:
    """Logs lines that hold for a while: when one begins to hold, and then seldom."""

    def __init__(self, log: logging.Logger, every_seconds: float = 60.0) -> None:
        self._log = log
        self._every_seconds = every_seconds
        self._said_at: dict[str, float] = {}

    def say(self, lines: Iterable[str]) -> None:
        """Log those of the lines that hold now which were not logged lately."""
        now = time.monotonic()
        said_at = {line: self._said_at.get(line, float("-inf")) for line in lines}
        for line, last in said_at.items():
            if now - last >= self._every_seconds:
                self._log.warning("%s", line)
                said_at[line] = now
        self._said_at = said_at
