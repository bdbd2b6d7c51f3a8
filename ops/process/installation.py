"""Metrics about what all processes share. The portal asks for them at a scrape (docs/adr/0029).

A server that does not answer leaves out its metrics, and delays a scrape by some seconds at most.
"""

import logging
import time
from collections.abc import Iterable
from contextlib import ExitStack
from threading import Lock

from redis.exceptions import RedisError

from broker.rq_queue import Figures, RqQueue, queue_of
from logs.warning_throttle import WarningThrottle
from metrics.meters import Metric, Values
from models.errors import BetcoreError
from models.reports.vitals import Vitals, read_vitals
from settings import Settings

_LOG = logging.getLogger("betcore.metrics")
_LOG.addFilter(WarningThrottle())
#: Several scrapes within this time share one answer of the servers.
_FRESH_SECONDS = 3.0
_STATES = ("started", "idle", "busy", "suspended")  # of workers, as RQ names them
_NEVER = float("inf")


class Installation:
    """Asks Redis and PostgreSQL. Any thread may ask; one at a time does."""

    def __init__(self, settings: Settings) -> None:
        """`close` it at the end."""
        self._settings = settings
        self._stack = ExitStack()
        self._queue: RqQueue | None = None
        self._lock = Lock()
        self._asked_at = float("-inf")
        self._metrics: list[Metric] = []

    def metrics(self) -> list[Metric]:
        """The metrics of the whole installation, at most some seconds old."""
        with self._lock:
            if time.monotonic() - self._asked_at >= _FRESH_SECONDS:
                self._metrics = [*self._of_queue(), *self._of_database()]
                self._asked_at = time.monotonic()
            return self._metrics

    def close(self) -> None:
        """Close the connection to Redis."""
        self._stack.close()

    def _of_queue(self) -> Iterable[Metric]:
        try:
            if self._queue is None:
                self._queue = self._stack.enter_context(queue_of(self._settings))
            return queue_metrics(self._queue.figures())
        except RedisError as error:
            _LOG.warning("metrics: Redis does not tell of the queue: %s", error)
            return ()

    def _of_database(self) -> Iterable[Metric]:
        try:
            return vital_metrics(read_vitals(self._settings.database_url))
        except BetcoreError as error:
            _LOG.warning("metrics: PostgreSQL does not answer: %s", error)
            return ()


def queue_metrics(found: Figures) -> list[Metric]:
    """What Redis tells."""
    states: Values = {(state,): float(found.workers.get(state, 0)) for state in _STATES}
    return [
        _one("betcore_queue_commands", "Commands in the jobs on the queue.", found.commands),
        _one(
            "betcore_queue_oldest_seconds",
            "How long the oldest job on the queue has waited.",
            found.oldest_seconds,
        ),
        _one("betcore_commands_waiting", "Commands that wait for their player.", found.waiting),
        _one("betcore_players_held", "Players with a command in progress.", found.held),
        _many("betcore_workers", "Registered workers.", ("state",), states),
        _one(
            "betcore_redis_memory_bytes",
            "Memory that Redis uses for its data.",
            found.memory_bytes,
        ),
        _one("betcore_redis_evicts", "1 if Redis may evict keys.", float(found.evicts)),
    ]


def vital_metrics(found: Vitals) -> list[Metric]:
    """What PostgreSQL tells. A standby or a backup that nobody knows of has no series."""
    lag: Values = {} if found.lag is None else {(): found.lag}
    backup: Values = {(): found.ages["backup"]} if "backup" in found.ages else {}
    return [
        _many("betcore_replication_lag_seconds", "Of the slowest standby.", (), lag),
        _one(
            "betcore_verification_age_seconds",
            "Since the last verification of the ledger that found no error.",
            found.ages.get("verify", _NEVER),
        ),
        _one("betcore_seal_age_seconds", "Since the last seal.", found.ages.get("seal", _NEVER)),
        _many("betcore_backup_age_seconds", "Since the last backup.", (), backup),
    ]


def _one(name: str, meaning: str, value: float) -> Metric:
    return _many(name, meaning, (), {(): value})


def _many(name: str, meaning: str, labels: tuple[str, ...], values: Values) -> Metric:
    return Metric("gauge", name, meaning, labels, lambda: values)
