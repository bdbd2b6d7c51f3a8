"""Takes gateways' reports of each minute from Redis to PostgreSQL, in a thread of the portal."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from redis import Redis
from redis.exceptions import RedisError

from broker.bounded import BoundedParser
from broker.minutes import KEPT_SECONDS, reported_minutes
from broker.redis_url import connect_redis, no_retry
from logs.warning_throttle import WarningThrottle
from models.database.failures import unavailable
from models.errors import BetcoreError
from models.reports.minutes import keep_minutes
from settings import Settings

_LOG = logging.getLogger("betcore.minutes")
_LOG.addFilter(WarningThrottle())
_EVERY_SECONDS = 10
_AFTER_SECONDS = 3  # gateways report at every tenth second
_WITHIN_SECONDS = 5.0
#: Reports may be late: a gateway could not reach Redis, or its clock differs.
_LATE_MINUTES = 5


@contextmanager
def keeping_minutes(settings: Settings) -> Iterator[None]:
    """Keep the minutes in PostgreSQL while the body runs. Several portals may do it."""
    ends = Event()
    thread = Thread(target=_keep, args=(settings, ends), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def _keep(settings: Settings, ends: Event) -> None:
    first = int(time.time() // 60) - KEPT_SECONDS // 60
    with connect_redis(
        settings.redis_url,
        socket_connect_timeout=settings.redis_connect_within_seconds,
        socket_timeout=_WITHIN_SECONDS,
        retry=no_retry(),
        parser_class=BoundedParser,
    ) as redis:
        wait = 0.0
        while not ends.wait(wait):
            if _kept(settings, redis, first):
                first = int(time.time() // 60) - _LATE_MINUTES
            wait = _EVERY_SECONDS - (time.time() - _AFTER_SECONDS) % _EVERY_SECONDS


def _kept(settings: Settings, redis: Redis, first: int) -> bool:
    """Whether the minutes since `first` could be read and recorded."""
    last = int(time.time() // 60) + 1  # a gateway's clock may be ahead
    try:
        found = reported_minutes(redis, range(first, last + 1))
        with unavailable():
            keep_minutes(settings.database_url, found)
    except (RedisError, BetcoreError) as error:
        _LOG.warning("the live figures wait: %s", error)
        return False
    return True
