"""A thread that renews the lease of the current batch, so that a slow batch keeps it."""

import logging
import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from broker.taken import Batch
from logs.warning_throttle import WarningThrottle
from models.deadline import Deadline
from models.errors import BetcoreError

_LOG = logging.getLogger("betcore.lease")
_LOG.addFilter(WarningThrottle())


class LeaseLost(BetcoreError):  # noqa: N818
    """Another worker may have the batch by now, so nothing of it may be applied."""


class LeaseKeeper(threading.Thread):
    """Calls `renew(batch)` every `every_seconds` while a batch is held. It dies with the worker.

    Renewal shows only that the process lives. So a batch that hangs, for whatever reason, loses its
    lease once the deadline of its last command has passed. Another worker then takes its jobs.
    """

    def __init__(
        self, renew: Callable[[Batch], bool], every_seconds: float, lease_seconds: float
    ) -> None:
        super().__init__(name="lease-keeper", daemon=True)
        self._renew = renew
        self._every_seconds = every_seconds
        self._lease_seconds = lease_seconds
        self._ended = threading.Event()
        self._held_until = 0.0  # by time.monotonic(), and never later than by Redis
        self._batch: tuple[Batch, Deadline] | None = None  # one assignment is atomic

    def hold(self, batch: Batch, until: Deadline) -> None:
        """Renew this batch's lease from now on, but not after `until`."""
        self._batch = (batch, until)

    def release(self) -> None:
        """Stop renewing until the next `hold`."""
        self._batch = None

    def taken(self, leased_from: Deadline) -> None:
        """Count a new lease from a moment before it began."""
        self._held_until = leased_from.later(self._lease_seconds).at

    def is_held(self) -> bool:
        """Whether no other worker can have the batch yet.

        It holds even if this process was paused.
        """
        return time.monotonic() < self._held_until

    def run(self) -> None:
        """The body of the thread."""
        while not self._ended.wait(self._every_seconds):
            held, asked_at = self._batch, time.monotonic()
            if held is None or held[1].passed:
                continue
            batch = held[0]
            try:
                if self._renew(batch):  # otherwise lost or just finished: `finish` tells which
                    self._held_until = asked_at + self._lease_seconds
            except RedisError as error:
                _LOG.warning("the lease of batch %s could not be renewed: %s", batch.id, error)

    def end(self) -> None:
        """Stop renewing and wait for the thread."""
        self._ended.set()
        self.join()
