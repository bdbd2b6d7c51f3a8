"""What an RQ worker does beside jobs, when it is due: beat, show its state, look for others.

RQ does it at every turn of its loop, and ends when Redis fails at it; neither is so here.
"""

import logging
import time
from typing import Any

from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.worker_registration import clean_worker_registry, register

from broker.bounded import BoundedParser
from broker.redis_url import no_retry
from broker.registered import MARK, MARKED
from logs.warning_throttle import WarningThrottle
from settings import Settings, settings

_LOG = logging.getLogger("betcore.worker")
_LOG.addFilter(WarningThrottle())
_HEARTBEAT_EVERY_SECONDS = 5.0
_WORKER_TTL_SECONDS = 30  # a worker that is killed is shown for this long
_SUSPENSION_EVERY_SECONDS = 1.0
_REGISTRY_EVERY_SECONDS = 30.0
_TIMEOUTS = ("socket_timeout", "socket_connect_timeout")


class PresentWorker(SimpleWorker):
    """A worker that is registered, seen and heard for as long as it lives."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As RQ's worker; the serializer is always JSON."""
        kwargs["serializer"] = "json"
        kwargs.setdefault("log_job_description", False)
        super().__init__(*args, **kwargs)
        self.settings: Settings = settings()
        # A command that got no answer is ours to judge: redis-py must not send it again.
        self.connection.set_retry(no_retry())
        # RQ only raises the time that redis-py gives Redis, and has connected by now; ours is less.
        pool = self.connection.connection_pool
        pool.connection_kwargs.update(dict.fromkeys(_TIMEOUTS, self.connection_timeout))
        pool.connection_kwargs["parser_class"] = BoundedParser
        pool.disconnect()
        pool.reset()
        self._due: dict[str, float] = {}
        self._shown_state: str | None = None

    def serialize(self) -> dict[Any, Any]:
        """RQ's record of this worker, with the mark by which it is known as ours."""
        record = super().serialize()
        record[MARK] = MARKED
        return record

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say that this worker lives; register again when Redis has forgotten it."""
        if pipeline is not None:
            super().heartbeat(timeout or _WORKER_TTL_SECONDS, pipeline)
        elif self._is_due("heartbeat", _HEARTBEAT_EVERY_SECONDS):
            try:
                with self.connection.pipeline(transaction=False) as beat:
                    super().heartbeat(_WORKER_TTL_SECONDS, beat)
                    # Not what the heartbeat wrote: asking for suspension writes that field too.
                    beat.hexists(self.key, "birth")
                    known = beat.execute()[-1]
                if not known:
                    with self.connection.pipeline() as birth:
                        birth.hset(self.key, mapping=self.serialize())
                        birth.expire(self.key, _WORKER_TTL_SECONDS)
                        register(self, birth)
                        birth.execute()
                    self._shown_state = None
            except RedisError as error:
                _LOG.warning("no heartbeat: %s", error)

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Show a state, if it is not the one already shown."""
        if pipeline is not None:
            super().set_state(state, pipeline)
        elif state != self._shown_state:
            # The key may be gone, and made again by this: without an end it would stay for ever.
            with self.connection.pipeline(transaction=False) as shown:
                super().set_state(state, shown)
                shown.expire(self.key, _WORKER_TTL_SECONDS)
                shown.execute()
        self._shown_state = state

    def check_for_suspension(self, burst: bool) -> None:
        """Wait while RQ is suspended; asked once a second, and when a script has said so."""
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
        """Forget workers that are gone."""
        try:
            clean_worker_registry(self.queues[0])
        except RedisError as error:
            _LOG.warning("no maintenance: %s", error)

    @property
    def connection_timeout(self) -> float:  # type: ignore[override]
        """Seconds until a silent Redis counts as gone; RQ would wait seven minutes.

        A lease is worth no longer wait, but a wait for jobs must have its time.
        """
        configured = settings()  # asked before there is `self.settings`
        return max(configured.lease_seconds, 2 * configured.sweep_seconds)

    def _start_scheduler(self, *args: Any, **kwargs: Any) -> None:
        """Nothing of ours is scheduled."""

    def _is_due(self, what: str, every_seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_seconds
        return True
