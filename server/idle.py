"""Connections on which nothing happens: which of them makes room for a new one."""

from collections import OrderedDict
from typing import Protocol


class Evictable(Protocol):
    """A connection that can be ended at once, because nothing is worked on."""

    def evict(self) -> None:
        """Close it."""


class IdleConnections:
    """The idle connections of one server, each since when it is idle.

    A connection is idle from its beginning, or from an answer, to the first byte of a request.
    """

    def __init__(self) -> None:
        # By whether a signature was ever good there. In the order in which they became idle.
        self._idle: dict[bool, OrderedDict[Evictable, None]] = {
            False: OrderedDict(),
            True: OrderedDict(),
        }

    def add(self, connection: Evictable, *, known: bool) -> None:
        """Note that it is idle from now on; `known`: a signature was good there."""
        self._idle[known][connection] = None

    def discard(self, connection: Evictable) -> None:
        """Note that it is not idle, if it was."""
        for idle in self._idle.values():
            idle.pop(connection, None)

    def evict_oldest(self) -> bool:
        """Close the one that is idle longest, strangers first; False when there is none."""
        for idle in self._idle.values():
            if idle:
                connection, _ = idle.popitem(last=False)
                connection.evict()
                return True
        return False
