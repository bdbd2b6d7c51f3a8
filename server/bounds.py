"""What one server process grants its clients: how many connections, and how long each may take."""

import logging
import resource
from dataclasses import dataclass
from typing import Final

from server.acceptor import MOST_PER_TURN
from server.errors import ServerError
from settings import Settings

_LOG = logging.getLogger("betcore.connections")
#: Files that a process needs besides its connections: of its own, to servers and logs; then for
#: connections accepted in one turn of the loop, as many that are closed, and some that linger.
_OWN: Final = 100
_SPARE: Final = _OWN + 3 * MOST_PER_TURN
_SPARE_LEAST: Final = _OWN + 24
_CONNECTIONS_LEAST: Final = 4
_LEAST: Final = _SPARE_LEAST + _CONNECTIONS_LEAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds of one server process; times in seconds."""

    #: Above it an idle connection is closed, or the new one refused.
    connections_max: int = 500
    #: Besides those, connections that linger after they were refused for want of room.
    refused_lingering_max: int = MOST_PER_TURN // 2
    #: Accepted in one turn of the event loop.
    accepted_per_turn_max: int = MOST_PER_TURN
    #: From a connection's beginning, or a request's first byte, to the end of its head; and for as
    #: long a client may leave answers unread. More than any request may take.
    arrives_within_seconds: float = 10.0
    #: From the end of a request's head to the end of its body; after that it is answered with 503.
    body_arrives_within_seconds: float = 4.5
    #: More than that is not kept for the app, which refuses it.
    body_bytes_max: int = 16 * 1024
    #: How long a connection may be idle before a signature was good there.
    keep_alive_seconds: float = 5.0
    #: The same afterwards. It outlives those that clients and proxies keep (60 s is common): a POST
    #: that meets a connection just closed is sent again, and may be answered 409.
    known_keep_alive_seconds: float = 75.0


def bounds_of(settings: Settings) -> Bounds:
    """The bounds by settings, or fewer connections if files are few, which the log says.

    It raises the process's limit of open files as far as it may. Raises TooFewFiles.
    """
    connections_max = settings.connections_max
    most, spare, (_, files) = connections_max, _SPARE, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    wanted = most + spare
    if files != resource.RLIM_INFINITY and files < wanted:
        # Of few files, a half is for what may come at once beside the connections in use.
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


class TooFewFiles(ServerError):  # noqa: N818 - named for what is missing
    """The system lets this process have too few open files to serve."""
