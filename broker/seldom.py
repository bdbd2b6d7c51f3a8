"""Logs the same complaint seldom: an outage is one line every few seconds, not twenty a second."""

import logging
import time


class Seldom(logging.Filter):
    """Passes a warning (by its text before values are put in) at most once in a while."""

    def __init__(self, every_seconds: float = 5.0) -> None:
        super().__init__()
        self._every_seconds = every_seconds
        self._passed_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Called by logging."""
        if record.levelno != logging.WARNING:
            return True
        now = time.monotonic()
        last = self._passed_at.get(str(record.msg), float("-inf"))
        if now - last < self._every_seconds:
            return False
        self._passed_at[str(record.msg)] = now
        return True
