"""The limits of one server process: how many connections, and how long each may take."""

import logging
import resource
from dataclasses import dataclass
from typing import Final

from server.acceptor import MOST_PER_TURN
from server.errors import TooFewFiles
from settings import Settings

_LOG = logging.getLogger("betcore.connections")
#: Files that a process needs besides its connections. `_OWN` is for servers and logs. The rest is
#: for the connections accepted in one turn, as many that are closing, and some that linger.
_OWN: Final = 100
_SPARE: Final = _OWN + 3 * MOST_PER_TURN
_SPARE_LEAST: Final = _OWN + 24
_CONNECTIONS_LEAST: Final = 4
_LEAST: Final = _SPARE_LEAST + _CONNECTIONS_LEAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits of one server process. Times are in seconds."""

    #: Above it an idle connection is closed, otherwise the new one is refused.
    connections_max: int = 500
    #: Connections that linger after a refusal for lack of room. They come on top of the others.
    refused_lingering_max: int = MOST_PER_TURN // 2
    #: Connections accepted per turn of the event loop.
    accepted_per_turn_max: int = MOST_PER_TURN
    #: The time from a connection's start, or a request's first byte, to the end of the head. A
    #: client may leave answers unread for the same time, which is longer than any request may take.
    arrives_within_seconds: float = 10.0
    #: The time from the end of a request's head to the end of its body. Later the answer is 503.
    body_arrives_within_seconds: float = 4.5
    #: A longer body is not kept for the app. The app refuses it.
    body_bytes_max: int = 16 * 1024
    #: Paths whose bodies go to the app as they arrive, however long. The app limits them.
    streamed: frozenset[bytes] = frozenset()
    #: How long a connection may be idle before any good signature.
    keep_alive_seconds: float = 5.0
    #: How long it may be idle afterwards. That is longer than clients and proxies keep connections
    #: (60 s is common). A POST that meets a connection just closed is sent again, and may get 409.
    known_keep_alive_seconds: float = 75.0


def bounds_of(settings: Settings) -> Bounds:
    """Return the limits by settings, with fewer connections if there are too few files.

    The log reports a reduction. This raises the process's limit of open files to its maximum.
    Raises TooFewFiles.
    """
    connections_max = settings.connections_max
    most, spare, (_, files) = connections_max, _SPARE, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    wanted = most + spare
    if files != resource.RLIM_INFINITY and files < wanted:
        # If there are few files, half of them is spare, for what may come at once.
        spare = min(spare, max(_SPARE_LEAST, files // 2))
        most = min(most, files - spare)
        if most < min(_CONNECTIONS_LEAST, connections_max):
            raise TooFewFiles(
                f"The system allows this process {files} open files, too few to serve: raise the "
                f"limit (ulimit -n) to {wanted}, or at least to {_LEAST}."
            )
        if most < connections_max:
            _LOG.warning(
                "only %d of %d connections (BETCORE_CONNECTIONS_MAX) are possible, because the "
                "system allows %d open files: raise the limit (ulimit -n) to %d",
                *(most, connections_max, files, wanted),
            )
    each = (spare - _OWN) // 3
    return Bounds(
        connections_max=most,
        refused_lingering_max=each // 2,
        accepted_per_turn_max=min(MOST_PER_TURN, each),
        arrives_within_seconds=settings.request_arrives_within_seconds,
        body_arrives_within_seconds=(
            settings.answer_within_seconds - settings.ask_primary_within_seconds
        ),
        body_bytes_max=settings.body_bytes_max,
    )
