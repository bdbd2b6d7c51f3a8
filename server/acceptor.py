"""Accepts connections: the longer a turn of the event loop takes, the more per turn.

So no connection waits for seconds.
"""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from logs.warning_throttle import WarningThrottle

_LOG = logging.getLogger("betcore.acceptor")
_LOG.addFilter(WarningThrottle())
#: Connections accepted per turn of the event loop. It is one, because gateways on one port compete:
#: a connection that one takes is lost to another. It is more only after a long turn that accepted
#: as many as it was allowed to.
FEWEST_PER_TURN: Final = 1
MOST_PER_TURN: Final = 128
PER_SECOND: Final = 10_000  # how many more, per second that such a turn took
_AGAIN_AFTER_SECONDS: Final = 1.0
_NONE_LEFT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}  # out of files or memory


class Acceptor:
    """Accepts the connections that wait at a listening socket. Use it on the loop that serves.

    uvloop alone accepts one connection per turn. Turns are long when answers take longer, and
    clients then open more connections. These would wait for seconds, or be dropped and retried.
    """

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        clock: Callable[[], float] = time.monotonic,
        most_per_turn: int = MOST_PER_TURN,
    ) -> None:
        """`clock` is read once per turn."""
        self._listener = listener
        self._make_protocol = make_protocol
        self._clock = clock
        self._most_per_turn = most_per_turn
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.Handle | None = None  # the next turn; None: waits for the listener
        self._connecting: set[asyncio.Task[Any]] = set()
        listener.setblocking(False)
        self._start()

    @property
    def connecting(self) -> int:
        """The number of accepted connections that have no protocol yet."""
        return len(self._connecting)

    async def close(self) -> None:
        """Accept no more. Every accepted connection has its protocol when this returns."""
        self._loop.remove_reader(self._listener)
        if self._next is not None:
            self._next.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)

    def _start(self) -> None:
        self._next = None
        self._loop.add_reader(self._listener, self._readable)

    def _readable(self) -> None:
        if self._next is None:
            self._accept()

    def _accept(self, before: float | None = None) -> None:
        """Accept connections.

        `before` is the time of the turn before, if that turn accepted as many as it was allowed to.
        """
        self._next, now = None, self._clock()
        room = FEWEST_PER_TURN if before is None else _room(now - before)
        for _ in range(min(room, self._most_per_turn)):
            try:
                connection, _address = self._listener.accept()
            except BlockingIOError:  # no connection waits
                return
            except OSError as error:
                if error.errno not in _NONE_LEFT:  # the client has gone
                    continue
                _LOG.warning("cannot accept connections: %s", error)
                self._loop.remove_reader(self._listener)
                self._next = self._loop.call_later(_AGAIN_AFTER_SECONDS, self._start)
                return
            self._connect(connection)
        self._next = self._loop.call_soon(self._accept, now)

    def _connect(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connecting = self._loop.connect_accepted_socket(self._make_protocol, connection)
        task = self._loop.create_task(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)


def _room(seconds: float) -> int:
    """Return how many connections to accept after a turn of `seconds`."""
    return min(max(FEWEST_PER_TURN, round(seconds * PER_SECOND)), MOST_PER_TURN)
