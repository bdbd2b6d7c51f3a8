"""What only a sandbox keeps in Redis: the last requests of each provider, and which bets came once.

Each list has a greatest length, and is forgotten an hour after its last request.
"""

import json
import logging
from asyncio import Future
from collections.abc import Callable, Mapping
from typing import Any, Final

from redis.exceptions import RedisError

from broker.cash import QueueUnavailable
from broker.keys import OURS
from logs.warning_throttle import WarningThrottle

#: Requests per provider.
KEPT: Final = 200
#: Requests per question, so that an answer of Redis stays small.
PER_QUESTION: Final = 50
_LASTS_SECONDS: Final = 3600
_FIELD: Final = "request"

_LOG = logging.getLogger("betcore.sandbox")
_LOG.addFilter(WarningThrottle())

#: Sends a command to Redis, as `Link.ask`.
Ask = Callable[..., "Future[Any]"]


async def note_request(ask: Ask, counterparty_id: str, request: Mapping[str, object]) -> None:
    """Append a request to the list of a provider. If Redis cannot be reached, it is left out."""
    key = _requests_key(counterparty_id)
    said = json.dumps(request, ensure_ascii=False).encode(errors="replace")
    try:
        await ask("XADD", key, "MAXLEN", KEPT, "*", _FIELD, said)
        await ask("EXPIRE", key, _LASTS_SECONDS)
    except RedisError as error:
        _LOG.warning("a request in the sandbox was not noted: %s", error)


async def requests_after(
    ask: Ask, counterparty_id: str, after: str | None
) -> list[tuple[str, dict[str, object]]]:
    """Requests of a provider with their places in the list, the oldest first.

    They are those after a place, or the last ones if it is None. Raises QueueUnavailable.
    """
    key = _requests_key(counterparty_id)
    try:
        if after is None:
            found = await ask("XREVRANGE", key, "+", "-", "COUNT", PER_QUESTION)
            found.reverse()
        else:
            found = await ask("XRANGE", key, f"({after}", "+", "COUNT", PER_QUESTION)
    except RedisError as error:
        raise QueueUnavailable(f"Redis cannot be asked for the requests: {error}") from error
    return [(place.decode(), json.loads(fields[1])) for place, fields in found]


async def is_first(ask: Ask, provider_id: int, what: str) -> bool:
    """Whether nobody has asked about this before, such as a call of a bet.

    False also if Redis cannot be asked.
    """
    key = f"{OURS}:sandbox:seen:{provider_id}:{what}"
    try:
        return bool(await ask("SET", key, "", "NX", "EX", _LASTS_SECONDS))
    except RedisError as error:
        _LOG.warning("a magic bet in the sandbox was not noted: %s", error)
        return False


def _requests_key(counterparty_id: str) -> str:
    return f"{OURS}:sandbox:requests:{counterparty_id}"
