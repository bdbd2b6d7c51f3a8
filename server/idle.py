"""Idle connections, and which of them makes room for a new one."""

from collections import OrderedDict
from typing import Protocol


class Evictable(Protocol):
    """A connection that can be closed immediately, because no request is in progress."""

    def evict(self) -> None:
        """Close it."""


class IdleConnections:
    """The idle connections of one server, in the order in which they became idle.

    A connection is idle from its start, or from an answer, to the first byte of a request.
    """

    def __init__(self) -> None:
        # The key: was a signature ever good there? The values are in the order of becoming idle.
        self._idle: dict[bool, OrderedDict[Evictable, None]] = {
            False: OrderedDict(),
            True: OrderedDict(),
        }

    def add(self, connection: Evictable, *, known: bool) -> None:
        """Record that it is idle from now on. `known`: a signature was good there."""
        self._idle[known][connection] = None

    def discard(self, connection: Evictable) -> None:
        """Record that it is not idle any more. Harmless if it was not."""
        for idle in self._idle.values():
            idle.pop(connection, None)

    def evict_oldest(self) -> bool:
        """Close the one that has been idle longest, strangers first. False: there is none."""
        for idle in self._idle.values():
            if idle:
                connection, _ = idle.popitem(last=False)
                connection.evict()
                return True
        return False
