"""What a worker checks besides its jobs: whether Redis can be trusted, and who else works here."""

import logging
from typing import TYPE_CHECKING

from broker.batches import Batches
from broker.conditions import UnfitRedis
from broker.permissions import require_fit
from logs.warning_throttle import Reminder

if TYPE_CHECKING:
    from redis import Redis

_LOG = logging.getLogger("betcore.redis")


class Surroundings:
    """Logs what is wrong. The worker goes on, because admitted requests are owed an answer."""

    def __init__(self, connection: "Redis", batches: Batches, queue: str) -> None:
        self._connection = connection
        self._batches = batches
        self._queue = queue
        self._reminder = Reminder(_LOG)
        self._foreign_seen = False

    def look(self) -> None:
        """Check once. Raises RedisError when Redis cannot be asked."""
        try:
            lines = list(require_fit(self._connection, self._queue).warnings)
        except UnfitRedis as error:
            lines = [str(error)]
        attendance = self._batches.attendance()
        lines.append(attendance.warning(self._queue))
        self._reminder.say(line for line in lines if line)
        self._foreign_seen = self._foreign_seen or bool(attendance.foreign)
        if self._foreign_seen:  # they later mark the jobs that they still hold as failed
            self._batches.tidy()
