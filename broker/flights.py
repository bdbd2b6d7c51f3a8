"""Commands in flight: which admitted commands about a bet may still be applied."""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
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


async def flights(link: Link, fields: Sequence[str], deadline: Deadline) -> list[Flights] | None:
    """The commands noted in each of these fields of `betcore:in_flight`, as of one moment.

    Returns None when Redis gives no answer by the deadline.
    """
    try:
        async with asyncio.timeout(deadline.seconds_left()):
            now_ms, since_ms, *notes = await _ask(link, "\n".join(fields))
    except (RedisError, TimeoutError) as error:
        _LOG.warning("Redis cannot be asked what is in flight: %s", error)
        return None
    return [Flights(now_ms, since_ms, _commands(of_bet)) for of_bet in notes]


def _commands(notes: bytes) -> dict[str, int]:
    found = (_NOTE.fullmatch(note) for note in notes.decode(errors="replace").split())
    return {note[3]: int(note[1]) + int(note[2]) for note in found if note}


def forget(link: Link, field: str, command_ids: Iterable[str]) -> None:
    """Note that these commands can no longer change the bet.

    If it fails, a later caller checks them again.
    """
    _ask(link, field, *command_ids).add_done_callback(lambda answer: answer.exception())


def _ask(link: Link, fields: str, *forgotten: str) -> asyncio.Future[Answer]:
    return link.ask("EVAL", _SCRIPT, 0, *common_arguments(""), fields, *forgotten)
