"""One connection with an end to every wait: when it is refused, closed or given up.

It does not read. Its subclass in `server/http_connection.py` finds the requests in the bytes.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from enum import Enum, auto
from typing import Final, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from logs.warning_throttle import WarningThrottle
from server.bounds import Bounds
from server.exchange import Exchange
from server.front import Refusal
from server.lingering import LingeringTransport
from server.open_connections import OpenConnections
from server.peer import Peer

_LOG = logging.getLogger("betcore.connections")
_LOG.addFilter(WarningThrottle())
#: An ended connection is read for this time, so that its last answer reaches the client.
_LINGER_SECONDS: Final = 1.0


class Awaited(Enum):
    """What a connection waits for."""

    APP = auto()  # the app makes an answer
    CLIENT = auto()  # a request has begun, or answers are unread
    NOBODY = auto()  # the connection is idle


class BoundedConnection(asyncio.Protocol, ABC):
    """A protocol with an end to every wait.

    Uvicorn's own protocols limit neither how long a request may take to arrive nor the number of
    connections. They keep a connection without any request for as long as the client likes.
    """

    transport: asyncio.Transport
    flow: FlowControl

    def __init__(
        self, server_state: ServerState, bounds: Bounds, open_connections: OpenConnections
    ) -> None:
        """`server_state` is uvicorn's. `open_connections` are those of the same server."""
        self.loop = asyncio.get_running_loop()
        self.connections: set[asyncio.Protocol] = cast(
            "set[asyncio.Protocol]", server_state.connections
        )
        self.peer = Peer()
        self.exchange: Exchange | None = None  # the last one that began
        self._bounds = bounds
        self._open_connections = open_connections
        self._was_answered = False
        self._has_ended = False  # the client sends no more
        self._idle_since: float | None = None  # in loop time
        self._late: asyncio.TimerHandle | None = None
        self.idle_timer: asyncio.TimerHandle | None = None
        self._lingered: asyncio.TimerHandle | None = None

    # Decided by the bytes of the connection.

    @abstractmethod
    def _awaits(self) -> Awaited: ...

    @abstractmethod
    def _has_unread(self) -> bool:
        """Return whether the client may have sent bytes that were not read."""

    @abstractmethod
    def _refuse(self, refusal: Refusal) -> None:
        """Answer what cannot go on, and end the connection."""

    # Called by asyncio and uvicorn.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        self.connections.add(self)
        self._open_connections.count += 1
        lingering = LingeringTransport(transport, on_close=self._closes)
        self.transport = cast("asyncio.Transport", lingering)
        self.flow = FlowControl(self.transport)
        if (
            len(self.connections) <= self._bounds.connections_max
            or self._open_connections.evict_oldest_idle()
        ):
            self._become_idle()
            self._expect_soon()
        else:
            most = self._bounds.connections_max
            _LOG.warning("all %d connections are busy: a new one is refused", most)
            self.connections.discard(self)
            self._refuse(Refusal(503, "There are too many connections."))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Called by asyncio."""
        self.connections.discard(self)
        self._open_connections.count -= 1
        self._work_begins()
        self._open_connections.refused.discard(self)
        if self.exchange is not None:
            self.exchange.disconnect()
        self.flow.resume_writing()  # who waits to write learns that the client has gone
        for timer in (self.idle_timer, self._late, self._lingered):
            if timer is not None:
                timer.cancel()

    def shutdown(self) -> None:
        """Called by uvicorn: end the connection after the answer to the request in progress."""
        if self.exchange is not None and self._awaits() is Awaited.APP:
            self.exchange.keep_alive = False
        else:
            self._close_now()

    def pause_writing(self) -> None:
        """Called by asyncio when a client does not read its answers."""
        self.flow.pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Called by asyncio when the client has read them."""
        self.flow.resume_writing()
        self._watch()

    def evict(self) -> None:
        """Close this idle connection immediately, to make room for another."""
        _LOG.warning(
            "all %d connections are in use: the one idle longest is closed",
            self._bounds.connections_max,
        )
        self.connections.discard(self)
        self._close_now()

    # How the connection ends.

    def _closes(self) -> bool:
        """Called when the transport is closed. Returns whether it lingers."""
        self._work_begins()
        # This holds whoever closes it: a client that reads nothing would keep it open forever.
        self._expect_soon()
        if self._has_ended or not self._has_unread():
            return False
        if self not in self.connections:  # it was refused for lack of room
            if len(self._open_connections.refused) >= self._bounds.refused_lingering_max:
                return False
            self._open_connections.refused.add(self)
        self._lingered = self.loop.call_later(_LINGER_SECONDS, self._close_now)
        self.flow.resume_reading()
        return True

    def _close_now(self) -> None:
        self._work_begins()
        self._expect_soon()
        cast("LingeringTransport", self.transport).close_now()

    def _too_late(self) -> None:
        """Called when what was expected soon has not come."""
        self.transport.abort()

    # What the connection waits for.

    def _watch(self) -> None:
        """Set the timers for what the connection now waits for."""
        if self.transport.is_closing():
            return
        awaited = self._awaits()
        if awaited is Awaited.NOBODY and not self.flow.write_paused:
            if self._has_ended:
                self._close_now()
            elif self._idle_since is None:
                self._become_idle()
            return
        self._work_begins()
        if awaited is Awaited.APP and not self.flow.write_paused:
            self._expect_nothing()
        else:
            self._expect_soon()

    def _become_idle(self) -> None:
        """Be idle until a request begins."""
        self._idle_since = self.loop.time()
        self._open_connections.add_idle(self, known=self.peer.known)
        if self._was_answered:  # before that, `_late` limits it from its start
            self._expect_nothing()
            if self.idle_timer is None:
                self._was_idle_for_long()

    def _work_begins(self) -> None:
        """End being idle."""
        if self._idle_since is not None:
            self._idle_since = None
            self._open_connections.discard_idle(self)

    def _was_idle_for_long(self) -> None:
        """Close a connection that has been idle for too long, otherwise schedule the next check."""
        self.idle_timer = None
        if self._idle_since is None:
            return  # the next rest checks again; a timer per rest would cost more
        bounds = self._bounds
        known = self.peer.known
        most = bounds.known_keep_alive_seconds if known else bounds.keep_alive_seconds
        left = self._idle_since + most - self.loop.time()
        if left <= 0:
            self._close_now()
        else:
            self.idle_timer = self.loop.call_later(left, self._was_idle_for_long)

    def _expect_soon(self, within_seconds: float | None = None) -> None:
        if self._late is None:
            within = self._bounds.arrives_within_seconds
            if within_seconds is not None:
                within = min(within, within_seconds)
            self._late = self.loop.call_later(within, self._too_late)

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
