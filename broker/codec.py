"""Jobs as JSON: what the queue carries, and what comes back.

A job's `data` is RQ's own form for its JSON serializer, `[function, instance, args, kwargs]`, with
two arguments: the command's values and the stream to which the result is sent. A job that moves
cash has a third one: what vouches for it (broker/orders.py).
"""

import json
import zlib
from typing import NamedTuple

from broker.keys import REPLIES
from models.commands import COMMANDS, Command
from models.errors import BetcoreError, InvalidRequest

_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_DECODE = json.JSONDecoder().decode


class BadJob(BetcoreError):  # noqa: N818
    """The job is not one of ours."""


class Order(NamedTuple):
    """What vouches for a job that moves cash, as it was given: not checked yet."""

    expires_ms: int  # Unix time, by the clock of who ordered it
    key: str  # names the key of the HMAC
    hmac: str  # in hex


class Work(NamedTuple):
    """What a job asks for, and where its result goes; no stream: nobody waits."""

    command: Command
    reply_to: str
    order: Order | None = None


def encode_job(command: Command, reply_to: str, order: Order | None = None) -> str:
    """The `data` of a job that runs `command`."""
    arguments = [command.to_job(), reply_to, *([] if order is None else [order])]
    return _ENCODE([command.function, None, arguments, {}])


def decode_job(data: bytes) -> Work:
    """What a job asks for. Raises BadJob for everything but our fixed functions and forms.

    RQ compresses `data` when it writes a job itself, as on a requeue.
    """
    try:
        text = zlib.decompress(data) if data[:1] == b"x" else data
        function, instance, arguments, named = _DECODE(text.decode())
        values, reply_to, *more = arguments
        command = COMMANDS[function].from_job(values)
        order = _order(*more) if more else None
    except (ValueError, TypeError, KeyError, InvalidRequest, RecursionError, zlib.error) as error:
        raise BadJob(f"The job is not one of ours: {error!r}") from error
    if instance is not None or named or not _is_reply_stream(reply_to):
        raise BadJob
    return Work(command, reply_to, order)


def _order(values: object) -> Order:
    match values:
        case [int(expires_ms), str(key), str(mac)] if not isinstance(expires_ms, bool):
            return Order(expires_ms, key, mac)
    raise TypeError(f"what vouches for a job expected, not {values!r:.80}")


def _is_reply_stream(name: object) -> bool:
    """Whether a result may be sent there; `finish` would fail on any other key, for all."""
    return isinstance(name, str) and name.isascii() and (not name or name.startswith(REPLIES))


def encode_result(result: object) -> str:
    """A result, or many, as JSON."""
    return _ENCODE(result)
