"""Jobs in flight: which admitted jobs about a bet may still be applied."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from redis.exceptions import RedisError

from broker.link import Link
from broker.scripts import common_arguments, source
from logs.warning_throttle import WarningThrottle
from models.deadline import Deadline

_LOG = logging.getLogger("betcore.flights")
_LOG.addFilter(WarningThrottle())
_SCRIPT = source("flights")


@dataclass(frozen=True, slots=True)
class Flights:
    """Jobs about one bet that may still be applied, by id, with their deadlines (Unix ms).

    `now_ms` is the time now, and `since_ms` is since when Redis remembers. Both are by Redis's
    clock.
    """

    now_ms: int
    since_ms: int
    jobs: dict[str, int]


async def flights(link: Link, key: str, deadline: Deadline) -> Flights | None:
    """The jobs noted under a flight key.

    Returns None when Redis gives no answer by the deadline.
    """
    try:
        async with asyncio.timeout(deadline.seconds_left()):
            answer = await link.ask("EVAL", _SCRIPT, 0, *common_arguments(""), key)
    except (RedisError, TimeoutError) as error:
        _LOG.warning("Redis cannot be asked what is in flight: %s", error)
        return None
    now_ms, since_ms, noted = answer
    ids = [id_.decode() for id_ in noted[::2]]
    jobs = dict(zip(ids, map(int, noted[1::2]), strict=True))
    return Flights(now_ms=now_ms, since_ms=since_ms, jobs=jobs)


def forget(link: Link, key: str, job_ids: Iterable[str]) -> None:
    """Note that these jobs can no longer change the bet.

    If it fails, a later caller checks them again.
    """
    link.ask("ZREM", key, *job_ids).add_done_callback(lambda answer: answer.exception())
