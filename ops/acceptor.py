"""Accepts connections, more at a time while many wait, so that none waits for seconds."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from broker.seldom import Seldom

_LOG = logging.getLogger("betcore.serve")
_LOG.addFilter(Seldom())
#: In a turn of the event loop. Few at first, since what one gateway takes of those that wait is
#: taken from another on the same port; then twice as many as in the turn before, while more wait.
FEWEST_PER_TURN: Final = 8
MOST_PER_TURN: Final = 128
_AGAIN_AFTER_SECONDS: Final = 1.0


class Acceptor:
    """Accepts what waits at a listening socket; use it on the loop that serves.

    uvloop alone accepts one connection a turn. When turns are long, and clients open connections
    because answers take longer, new ones would wait for seconds, or be dropped and come again.
    """

    def __init__(
        self, listener: socket.socket, make_protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._listener = listener
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._room = FEWEST_PER_TURN
        self._again: asyncio.TimerHandle | None = None
        self._connecting: set[asyncio.Task[Any]] = set()
        listener.setblocking(False)
        self._start()

    @property
    def connecting(self) -> int:
        """How many were accepted, and have no protocol yet."""
        return len(self._connecting)

    async def close(self) -> None:
        """Accept nothing more; what was accepted is connected when this returns."""
        self._loop.remove_reader(self._listener)
        if self._again is not None:
            self._again.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)

    def _start(self) -> None:
        self._again = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(self._room):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):  # none waits, or it has gone
                self._room = FEWEST_PER_TURN
                return
            except OSError as error:  # no more files, or no memory
                _LOG.warning("cannot accept connections: %s", error)
                self._loop.remove_reader(self._listener)
                self._again = self._loop.call_later(_AGAIN_AFTER_SECONDS, self._start)
                return
            self._connect(connection)
        self._room = min(2 * self._room, MOST_PER_TURN)

    def _connect(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connecting = self._loop.connect_accepted_socket(self._make_protocol, connection)
        task = self._loop.create_task(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
