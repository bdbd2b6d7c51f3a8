"""Commands in flight: which admitted commands about a bet may still be applied."""

import asyncio
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass

from redis.exceptions import RedisError

from broker.link import Link
from broker.scripts import common_arguments, source
from broker.wire import Answer
from logs.warning_throttle import WarningThrottle
from models.deadline import Deadline

_LOG = logging.getLogger("betcore.flights")
_LOG.addFilter(WarningThrottle())
_SCRIPT = source("flights")
_NOTE = re.compile(r"([0-9]{1,15})\+([0-9]{1,15}):([0-9]+-[0-9a-f]+)")  # since+budget:id


@dataclass(frozen=True, slots=True)
class Flights:
    """Commands about one bet that may still be applied, by id, with their deadlines (Unix ms).

    `now_ms` is the time now, and `since_ms` is since when Redis remembers. Both are by Redis's
    clock.
    """

    now_ms: int
    since_ms: int
    commands: dict[str, int]


async def flights(link: Link, field: str, deadline: Deadline) -> Flights | None:
    """The commands noted in a field of `betcore:in_flight`.

    Returns None when Redis gives no answer by the deadline.
    """
    try:
        async with asyncio.timeout(deadline.seconds_left()):
            now_ms, since_ms, notes = await _ask(link, field)
    except (RedisError, TimeoutError) as error:
        _LOG.warning("Redis cannot be asked what is in flight: %s", error)
        return None
    found = (_NOTE.fullmatch(note) for note in notes.decode(errors="replace").split())
    commands = {note[3]: int(note[1]) + int(note[2]) for note in found if note}
    return Flights(now_ms=now_ms, since_ms=since_ms, commands=commands)


def forget(link: Link, field: str, command_ids: Iterable[str]) -> None:
    """Note that these commands can no longer change the bet.

    If it fails, a later caller checks them again.
    """
    _ask(link, field, *command_ids).add_done_callback(lambda answer: answer.exception())


def _ask(link: Link, field: str, *forgotten: str) -> asyncio.Future[Answer]:
    return link.ask("EVAL", _SCRIPT, 0, *common_arguments(""), field, *forgotten)
