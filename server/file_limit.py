"""How many connections a process may have: each is an open file, and the system allows so many."""

import logging
import resource
from typing import Final

from models.errors import BetcoreError
from server.acceptor import MOST_PER_TURN
from server.connection_life import BoundedLife

_LOG = logging.getLogger("betcore.connections")
#: Files that a process needs besides its connections: of its own, to servers and logs; then for
#: connections accepted in one turn of the loop, as many that are closed, and some that linger.
_OWN: Final = 100
_SPARE: Final = _OWN + 3 * MOST_PER_TURN
_SPARE_LEAST: Final = _OWN + 24
_CONNECTIONS_LEAST: Final = 4
_LEAST: Final = _SPARE_LEAST + _CONNECTIONS_LEAST


class TooFewFiles(BetcoreError):  # noqa: N818
    """The system lets this process have too few open files to serve."""


def bound_connections_by_files(protocol: type[BoundedLife], connections_max: int) -> None:
    """Let a protocol have so many connections, or fewer if files are few, which the log says.

    Raises TooFewFiles.
    """
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
    protocol.connections_max = most
    protocol.accepted_per_turn_max = min(MOST_PER_TURN, each)
    protocol.refused_lingering_max = each // 2
