"""A thread that renews the lease of the batch in hand, so that a long one is not taken away."""

import logging
import threading
from collections.abc import Callable

from redis.exceptions import RedisError

from broker.seldom import Seldom

_LOG = logging.getLogger("betcore.lease")
_LOG.addFilter(Seldom())


class LeaseKeeper(threading.Thread):
    """Calls `renew(batch)` every so often while a batch is held; a dead worker's thread does not.

    That it renews says only that the process lives; a batch that hangs is ended by PostgreSQL.
    """

    def __init__(self, renew: Callable[[str], bool], every_seconds: float) -> None:
        super().__init__(name="lease-keeper", daemon=True)
        self._renew = renew
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self.batch: str | None = None  # assigned by the worker; one assignment is atomic

    def run(self) -> None:
        """The thread's body."""
        while not self._ended.wait(self._every_seconds):
            batch = self.batch
            if batch is None:
                continue
            try:
                self._renew(batch)  # lost or just finished: `finish` tells which
            except RedisError as error:
                _LOG.warning("the lease of batch %s could not be renewed: %s", batch, error)

    def end(self) -> None:
        """Stop renewing and wait for the thread."""
        self._ended.set()
        self.join()
