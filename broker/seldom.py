"""Logs the same complaint seldom: an outage is one line every few seconds, not twenty a second."""

import logging

from broker.throttle import Throttle


class Seldom(logging.Filter):
    """Passes a warning (by its text before values are put in) at most once in a while."""

    def __init__(self, every_seconds: float = 5.0) -> None:
        super().__init__()
        self._throttle: Throttle[str] = Throttle(every_seconds)

    def filter(self, record: logging.LogRecord) -> bool:
        """Called by logging."""
        return record.levelno != logging.WARNING or self._throttle.lets(str(record.msg), most=1)
