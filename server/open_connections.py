"""All connections of one server together: which idle one makes room for a new one."""

from collections import OrderedDict
from typing import Protocol
from weakref import WeakSet

_servers: "WeakSet[OpenConnections]" = WeakSet()


def connections_open() -> int:
    """How many HTTP connections are open in this process. Any thread may ask."""
    return sum(server.count for server in list(_servers))


class Evictable(Protocol):
    """A connection that can be closed immediately, because no request is in progress."""

    def evict(self) -> None:
        """Close it."""


class OpenConnections:
    """What uvicorn does not know about the connections of its server.

    A connection is idle from its start, or from an answer, to the first byte of a request.
    """

    def __init__(self) -> None:
        _servers.add(self)
        self.count = 0  # of all open connections
        #: Connections that were refused for lack of room, and linger.
        self.refused: set[Evictable] = set()
        # The key: was a signature ever good there? The values are in the order of becoming idle.
        self._idle: dict[bool, OrderedDict[Evictable, None]] = {
            False: OrderedDict(),
            True: OrderedDict(),
        }

    def add_idle(self, connection: Evictable, *, known: bool) -> None:
        """Record that it is idle from now on. `known`: a signature was good there."""
        self._idle[known][connection] = None

    def discard_idle(self, connection: Evictable) -> None:
        """Record that it is not idle any more. Harmless if it was not."""
        for idle in self._idle.values():
            idle.pop(connection, None)

    def evict_oldest_idle(self) -> bool:
        """Close the one that has been idle longest, strangers first. False: there is none."""
        for idle in self._idle.values():
            if idle:
                connection, _ = idle.popitem(last=False)
                connection.evict()
                return True
        return False
