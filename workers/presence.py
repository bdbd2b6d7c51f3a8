"""What an RQ worker does besides jobs, when it is due: heartbeat, state, and search for others.

RQ does this at every turn of its loop, and ends when Redis fails. This worker does neither.
"""

import logging
import time
from typing import Any

from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.worker_registration import clean_worker_registry, register

from broker.batches import WORKER_TTL_SECONDS
from broker.bounded import BoundedParser
from broker.redis_url import no_retry
from broker.registered import MARK, MARKED
from logs.warning_throttle import WarningThrottle
from settings import Settings, settings

_LOG = logging.getLogger("betcore.worker")
_LOG.addFilter(WarningThrottle())
_HEARTBEAT_EVERY_SECONDS = 5.0
_SUSPENSION_EVERY_SECONDS = 1.0
_REGISTRY_EVERY_SECONDS = 30.0
_TIMEOUTS = ("socket_timeout", "socket_connect_timeout")


class PresentWorker(SimpleWorker):
    """A worker that stays registered, visible and reachable for as long as it lives."""

    def __init__(self, *args: Any, configured: Settings | None = None, **kwargs: Any) -> None:
        """Takes the arguments of RQ's worker. The serializer is always JSON.

        `configured` are the settings. A worker that RQ makes reads them from the environment.
        """
        kwargs["serializer"] = "json"
        kwargs.setdefault("log_job_description", False)
        self.settings: Settings = configured or settings()  # RQ asks for the timeout at once
        super().__init__(*args, **kwargs)
        # We decide what to do about a command without an answer: redis-py must not resend it.
        self.connection.set_retry(no_retry())
        # RQ only raises the timeout of redis-py, and has already connected. Ours is shorter.
        pool = self.connection.connection_pool
        pool.connection_kwargs.update(dict.fromkeys(_TIMEOUTS, self.connection_timeout))
        pool.connection_kwargs["parser_class"] = BoundedParser
        pool.disconnect()
        pool.reset()
        self._due: dict[str, float] = {}
        self._shown_state: str | None = None

    def serialize(self) -> dict[Any, Any]:
        """RQ's record of this worker, with the mark that identifies our workers."""
        record = super().serialize()
        record[MARK] = MARKED
        return record

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Report that this worker lives. It registers again when Redis has forgotten it."""
        if pipeline is not None:
            super().heartbeat(timeout or WORKER_TTL_SECONDS, pipeline)
        elif self._is_due("heartbeat", _HEARTBEAT_EVERY_SECONDS):
            try:
                with self.connection.pipeline(transaction=False) as beat:
                    super().heartbeat(WORKER_TTL_SECONDS, beat)
                    # Not a field of the heartbeat: the check for suspension writes that field too.
                    beat.hexists(self.key, "birth")
                    known = beat.execute()[-1]
                if not known:
                    with self.connection.pipeline() as birth:
                        birth.hset(self.key, mapping=self.serialize())
                        birth.expire(self.key, WORKER_TTL_SECONDS)
                        register(self, birth)
                        birth.execute()
                    self._shown_state = None
            except RedisError as error:
                _LOG.warning("no heartbeat: %s", error)

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Show a state, unless it is already shown."""
        if pipeline is not None:
            super().set_state(state, pipeline)
        elif state != self._shown_state:
            # If the key is gone, this makes it again. Without an expiry it would stay for ever.
            with self.connection.pipeline(transaction=False) as shown:
                super().set_state(state, shown)
                shown.expire(self.key, WORKER_TTL_SECONDS)
                shown.execute()
        self._shown_state = state

    def check_for_suspension(self, burst: bool) -> None:
        """Wait while RQ is suspended.

        It asks once per second, and when a script has reported it.
        """
        if self._is_due("suspension", _SUSPENSION_EVERY_SECONDS):
            try:
                super().check_for_suspension(burst)
            except RedisError as error:
                _LOG.warning("cannot ask whether RQ is suspended: %s", error)

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Whether to look for workers that are gone. RQ's own recovery of jobs is not used."""
        return self._is_due("registry", _REGISTRY_EVERY_SECONDS)

    def run_maintenance_tasks(self) -> None:
        """Remove workers that are gone from the registry."""
        try:
            clean_worker_registry(self.queues[0])
        except RedisError as error:
            _LOG.warning("no maintenance: %s", error)

    @property
    def connection_timeout(self) -> float:  # type: ignore[override]
        """Seconds until a silent Redis counts as gone; RQ would wait seven minutes.

        A wait beyond the lease has no use. But it must leave time for the wait for jobs.
        """
        return max(self.settings.lease_seconds, 2 * self.settings.sweep_seconds)

    def _start_scheduler(self, *args: Any, **kwargs: Any) -> None:
        """Start no scheduler, because betcore schedules nothing."""

    def _is_due(self, what: str, every_seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_seconds
        return True
