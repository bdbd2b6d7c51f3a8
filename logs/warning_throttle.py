"""Repeats a warning seldom: an outage logs one line every few seconds, not twenty per second."""

import logging
import time
from collections.abc import Iterable

from logs.throttle import Throttle


class WarningThrottle(logging.Filter):
    """Passes each warning at most once per `every_seconds`.

    The text without its values is the key.
    """

    def __init__(self, every_seconds: float = 5.0) -> None:
        super().__init__()
        self._throttle: Throttle[str] = Throttle(every_seconds)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log a record; called by `logging`."""
        return record.levelno != logging.WARNING or self._throttle.lets(str(record.msg), most=1)


class Reminder:
    """Logs lines that hold for a while.

    It logs a line when that begins to hold, and then once per `every_seconds`.
    """

    def __init__(self, log: logging.Logger, every_seconds: float = 60.0) -> None:
        self._log = log
        self._every_seconds = every_seconds
        self._said_at: dict[str, float] = {}

    def say(self, lines: Iterable[str]) -> None:
        """Log those of the lines that hold now, unless they were logged within `every_seconds`."""
        now = time.monotonic()
        said_at = {line: self._said_at.get(line, float("-inf")) for line in lines}
        for line, last in said_at.items():
            if now - last >= self._every_seconds:
                self._log.warning("%s", line)
                said_at[line] = now
        self._said_at = said_at
