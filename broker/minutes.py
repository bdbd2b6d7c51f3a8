"""Gateways' reports of what they did in each minute: they write them to Redis, portals read them.

One hash per minute has a field per gateway. A report replaces the earlier one of the same minute.
So it can be written again, and read by several portals, as often as needed (docs/adr/0036).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from broker.keys import minute_key
from logs.warning_throttle import WarningThrottle
from models.minute_figures import MinuteFigures

_LOG = logging.getLogger("betcore.minutes")
_LOG.addFilter(WarningThrottle())
#: A portal that was away for less loses nothing.
KEPT_SECONDS: Final = 24 * 3600

#: Sends a command to Redis, as `Link.ask`.
Ask = Callable[..., asyncio.Future[Any]]


async def report_minute(ask: Ask, gateway: str, minute: int, figures: MinuteFigures) -> bool:
    """Tell what a gateway has done so far in a minute. Returns False if Redis could not be told."""
    key = minute_key(minute)
    written = ask("HSET", key, gateway, figures.to_json())
    try:
        await asyncio.gather(written, ask("EXPIRE", key, KEPT_SECONDS))
    except RedisError:  # the link has logged why
        return False
    return True


def reported_minutes(redis: Redis, minutes: Iterable[int]) -> dict[int, MinuteFigures]:
    """What all gateways together did in these minutes, where one has told. Raises RedisError.

    What cannot be read was planted. It is left out.
    """
    wanted = list(minutes)
    with redis.pipeline(transaction=False) as asked:
        for minute in wanted:
            asked.hgetall(minute_key(minute))
        answers = asked.execute(raise_on_error=False)
    found: dict[int, MinuteFigures] = {}
    for minute, answer in zip(wanted, answers, strict=True):
        reports = answer.values() if isinstance(answer, dict) else ()
        for report in reports:
            try:
                figures = MinuteFigures.from_json(report)
            except ValueError as error:
                _LOG.warning("a report of a gateway cannot be read: %s", error)
                continue
            found[minute] = found.get(minute, MinuteFigures()) + figures
    return found
