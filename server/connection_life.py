"""How long a connection lives: which is refused, which makes room, and when one is given up.

What its bytes say is the business of server/connections.py.
"""

import asyncio
import logging
from enum import Enum, auto
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from logs.warning_throttle import WarningThrottle
from server.bounds import Bounds
from server.corked import CorkedTransport
from server.front import Refusal
from server.idle import IdleConnections
from server.peer import Peer

_LOG = logging.getLogger("betcore.connections")
_LOG.addFilter(WarningThrottle())
#: For so long an ended connection is read, so that its last answer reaches the client.
_LINGER_SECONDS: Final = 1.0


class Awaited(Enum):
    """What a connection waits for."""

    APP = auto()  # an answer is made
    CLIENT = auto()  # a request has begun, or answers are not read
    NOBODY = auto()  # it is idle


class Crowd:
    """The connections of one server, as far as uvicorn does not know them."""

    def __init__(self) -> None:
        self.idle = IdleConnections()
        self.refused: set[BoundedLife] = set()  # for want of room, and lingering


class BoundedLife(HttpToolsProtocol):
    """Uvicorn's protocol with an end to every wait.

    Uvicorn bounds neither how long a request may take to arrive nor how many connections there
    are, and keeps one on which nothing was ever sent for as long as the client likes.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        bounds: Bounds,
        crowd: Crowd,
    ) -> None:
        """The first three as uvicorn's; `crowd`: the connections of the same server."""
        super().__init__(config, server_state, app_state)
        self.peer = Peer()
        self._bounds = bounds
        self._crowd = crowd
        self._was_answered = False
        self._has_ended = False  # the client sends no more
        self._idle_since: float | None = None  # loop time
        self._late: asyncio.TimerHandle | None = None
        self._lingered: asyncio.TimerHandle | None = None

    # What the connection's bytes decide.

    def _awaits(self) -> Awaited:
        raise NotImplementedError

    def _has_unread(self) -> bool:
        """Whether the client may have sent what was not read."""
        raise NotImplementedError

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what cannot go on, and end the connection."""
        raise NotImplementedError

    # Called by asyncio and uvicorn.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        super().connection_made(transport)
        corked = CorkedTransport(transport, self.loop, on_close=self._closes)
        self.transport = cast("asyncio.Transport", corked)
        if len(self.connections) <= self._bounds.connections_max or self._crowd.idle.evict_oldest():
            self._rest()
            self._expect_soon()
        else:
            most = self._bounds.connections_max
            _LOG.warning("all %d connections are busy: a new one is refused", most)
            self.connections.discard(self)
            self._refuse(Refusal(503, "There are too many connections."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        super().connection_lost(exc)
        self._work_begins()
        self._crowd.refused.discard(self)
        for timer in (self.timeout_keep_alive_task, self._late, self._lingered):
            if timer is not None:
                timer.cancel()

    def shutdown(self) -> None:
        """Called by uvicorn: end, once what is worked on is answered."""
        if self._awaits() is Awaited.APP:
            self.cycle.keep_alive = False
        else:
            self._close_now()

    def pause_writing(self) -> None:
        """Called by asyncio when a client does not read its answers."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Called by asyncio when it has."""
        super().resume_writing()
        self._watch()

    def evict(self) -> None:
        """Close at once, for another connection; this one is idle."""
        _LOG.warning(
            "all %d connections are in use: the one idle longest is closed",
            self._bounds.connections_max,
        )
        self.connections.discard(self)
        self._close_now()

    # Its ends.

    def _closes(self) -> bool:
        """Called when the transport is closed; whether it lingers."""
        self._work_begins()
        # Whoever closes it: a client that reads nothing would keep it open for ever.
        self._expect_soon()
        if self._has_ended or not self._has_unread():
            return False
        if self not in self.connections:  # it was refused for want of room
            if len(self._crowd.refused) >= self._bounds.refused_lingering_max:
                return False
            self._crowd.refused.add(self)
        self._lingered = self.loop.call_later(_LINGER_SECONDS, self._close_now)
        self.flow.resume_reading()
        return True

    def _close_now(self) -> None:
        self._work_begins()
        self._expect_soon()
        cast("CorkedTransport", self.transport).close_now()

    def _too_late(self) -> None:
        """Called when what was expected soon has not come."""
        self.transport.abort()

    # Its waits.

    def _watch(self) -> None:
        """Set the timers for what the connection now waits for."""
        if self.transport.is_closing():
            return
        awaited = self._awaits()
        if awaited is Awaited.NOBODY and not self.flow.write_paused:
            if self._has_ended:
                self._close_now()
            elif self._idle_since is None:
                self._rest()
            return
        self._work_begins()
        if awaited is Awaited.APP and not self.flow.write_paused:
            self._expect_nothing()
        else:
            self._expect_soon()

    def _rest(self) -> None:
        """Be idle, until a request begins."""
        self._idle_since = self.loop.time()
        self._crowd.idle.add(self, known=self.peer.known)
        if self._was_answered:  # before, it has until `_late`, from its beginning
            self._expect_nothing()
            if self.timeout_keep_alive_task is None:
                self._rested_for_long()

    def _work_begins(self) -> None:
        """Be idle no longer."""
        if self._idle_since is not None:
            self._idle_since = None
            self._crowd.idle.discard(self)

    def _rested_for_long(self) -> None:
        """Close a connection that is idle for long; else look again when it may be."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # the next rest looks again; a timer for each would cost more
        bounds = self._bounds
        known = self.peer.known
        most = bounds.known_keep_alive_seconds if known else bounds.keep_alive_seconds
        left = self._idle_since + most - self.loop.time()
        if left <= 0:
            self._close_now()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self._rested_for_long)

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
