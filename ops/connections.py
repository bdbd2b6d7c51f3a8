"""Connections of the gateway, each bounded in time and bytes, so that none costs the others.

Uvicorn works requests off; what is a request is decided here, one at a time and in their order.
"""

import asyncio
import logging
import resource
from typing import Any, ClassVar, Final, cast
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.calls import well_formed_nonce
from api.crowding import Crowding
from api.errors import ApiError, invalid, try_later
from api.peer import PEER, Peer
from broker.seldom import Seldom
from models.errors import BetcoreError
from ops.acceptor import MOST_PER_TURN
from ops.bare_answers import answer, turned_away
from ops.corked import CorkedTransport
from ops.http_head import Head, Refused
from ops.http_reader import BODY_BYTES_MAX, RequestReader
from ops.idle import IdleConnections
from settings import Settings

_LOG = logging.getLogger("betcore.connections")
_LOG.addFilter(Seldom())
#: Requests that wait behind one that is worked on. No provider's client sends any.
PIPELINED_MAX: Final = 32
_TOO_MANY_AHEAD: Final = ApiError(
    429, 99, f"More than {PIPELINED_MAX} requests were sent without waiting for answers."
)
#: For so long an ended connection is read, so that its last answer reaches the client.
_LINGER_SECONDS: Final = 1.0

#: Files that a process needs besides its connections: of its own, to servers and logs; then for
#: connections accepted in one turn of the loop, as many that are closed, and some that linger.
_OWN_FILES: Final = 100
_SPARE_FILES: Final = _OWN_FILES + 3 * MOST_PER_TURN
_SPARE_FILES_LEAST: Final = _OWN_FILES + 24
_CONNECTIONS_LEAST: Final = 4
_FILES_LEAST: Final = _SPARE_FILES_LEAST + _CONNECTIONS_LEAST

_IDLE: "WeakKeyDictionary[ServerState, IdleConnections]" = WeakKeyDictionary()
_LINGERING: "WeakKeyDictionary[ServerState, set[BoundedProtocol]]" = WeakKeyDictionary()


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with requests read by us, and an end to all that could be left half done.

    A request is handed to the app once its body has arrived, or is known to be too long; only a
    client that waits to be told to continue is handed over before. One is worked on at a time:
    what is sent behind it waits in the reader, and then in the client's system.
    """

    #: In this process; above it an idle one is closed, or the new one refused.
    connections_max: ClassVar[int] = 500
    #: Besides those, connections that linger after they were refused for want of room.
    refused_lingering_max: ClassVar[int] = MOST_PER_TURN // 2
    #: Accepted in one turn of the event loop.
    accepted_per_turn_max: ClassVar[int] = MOST_PER_TURN
    #: From a connection's beginning, or a request's first byte, to the request's last byte; and for
    #: as long a client may leave answers unread. More than any request may take.
    arrives_within_seconds: ClassVar[float] = 10.0
    #: From the end of a request's head to the end of its body; after that it is answered with 99.
    body_arrives_within_seconds: ClassVar[float] = 4.5
    #: More than that is not kept for the app, which refuses it.
    body_bytes_max: ClassVar[int] = 16 * 1024
    #: How long a connection may be idle once a signature was good there; before that, as long as
    #: uvicorn's `timeout_keep_alive` says. It outlives those that clients and proxies keep (60 s is
    #: common): a POST that meets a connection just closed is sent again, and may be answered 409.
    known_keep_alive_seconds: ClassVar[float] = 75
    #: Asked once for each bet that comes: whether to answer it with 99 at once.
    crowding: ClassVar[Crowding | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As uvicorn's."""
        super().__init__(*args, **kwargs)
        self.parser = None  # type: ignore[assignment]  # ours is the reader
        self.peer = Peer()
        self._reader = RequestReader()
        self._idle = _IDLE.setdefault(self.server_state, IdleConnections())
        self._refused_lingering = _LINGERING.setdefault(self.server_state, set())
        self._head: Head | None = None  # of the request whose body arrives
        self._body = b""
        self._handed_over = False  # whether the app has that one already
        self._was_answered = self._was_refused = False
        self._has_surplus = False  # a body is too long, and where it ends is not looked for
        self._has_ended = False  # the client sends no more
        self._ahead_left: int | None = None  # so many are still answered of what was sent ahead
        self._idle_since: float | None = None  # loop time
        self._late: asyncio.TimerHandle | None = None
        self._lingered: asyncio.TimerHandle | None = None

    # Called by asyncio and uvicorn.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        super().connection_made(transport)
        corked = CorkedTransport(transport, self.loop, on_close=self._closes)
        self.transport = cast("asyncio.Transport", corked)
        if len(self.connections) <= self.connections_max or self._idle.evict_oldest():
            self._rest()
            self._expect_soon()
        else:
            _LOG.warning("all %d connections are busy: a new one is refused", self.connections_max)
            self.connections.discard(self)
            self._refuse(try_later("There are too many connections."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        super().connection_lost(exc)
        self._idle.discard(self)
        self._refused_lingering.discard(self)
        self._expect_nothing()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        if self._lingered is not None:
            self._lingered.cancel()

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if not self.transport.is_closing() and not self._has_surplus:
            self._reader.feed(data)
            self._advance()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Called by asyncio. True: what is worked on is answered before the connection ends."""
        self._has_ended = True
        if self.transport.is_closing():
            self._close_now()
        else:
            self._advance()
        return not self.transport.is_closing()

    def on_response_complete(self) -> None:
        """Called by uvicorn's cycle."""
        self.server_state.total_requests += 1
        self._was_answered = True
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self._advance()

    def shutdown(self) -> None:
        """Called by uvicorn: end, once what is worked on is answered."""
        if self._rests():
            self._close_now()
        else:
            self.cycle.keep_alive = False

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
            "all %d connections are in use: the one idle longest is closed", self.connections_max
        )
        self.connections.discard(self)
        self._close_now()

    # From bytes to requests.

    def _advance(self) -> None:
        """Read on as far as it goes."""
        try:
            while not self.transport.is_closing() and (self._read_body() or self._read_head()):
                pass
        except Refused as refused:
            self._refuse(invalid(refused.message, refused.status), refused.head)
        self._watch()

    def _read_head(self) -> bool:
        """Read the next request's head; False when there is none, or none may be read yet."""
        if self._head is not None:
            return False
        if not self._rests():
            if self._reader.holds:
                self._hold()
            return False
        head = self._reader.head()
        if head is None:
            if self._has_ended and self._reader.holds:
                raise Refused(400, "The request ended early.")
            return False
        if self._ahead_left is not None:
            if not self._ahead_left:
                self._refuse(_TOO_MANY_AHEAD, head)
                return False
            self._ahead_left -= 1
        self._begin(head)
        return not self._has_surplus

    def _begin(self, head: Head) -> None:
        """Begin with a request whose body may be still to come."""
        self._head, self._body, self._handed_over = head, b"", False
        self._work_begins()
        self._expect_nothing()  # the body has a time of its own
        if head.length is not None and head.length > self.body_bytes_max:
            # The app refuses it by what was announced; the body is read and dropped, if not for
            # too long, so that the next request can come.
            head.expects_continue = False
            if head.length > BODY_BYTES_MAX:
                head.keep_alive, self._head, self._has_surplus = False, None, True
            self._hand_over(head, b"")
        elif head.expects_continue:
            self._hand_over(head, None)

    def _hold(self) -> None:
        """Leave what was sent ahead until its turn; who sends too much gets no more after that."""
        self.flow.pause_reading()
        if self._ahead_left is None and self._reader.holds_more_than(PIPELINED_MAX):
            self._ahead_left = PIPELINED_MAX

    def _read_body(self) -> bool:
        """Read on in the body; False when there is none, or not more of it."""
        head = self._head
        if head is None:
            return False
        part, ended = self._reader.body()
        if not self._handed_over:
            self._body = self._body + part if self._body else part
            if len(self._body) > self.body_bytes_max:
                head.keep_alive, self._head, self._has_surplus = False, None, True
                self._hand_over(head, self._body)
                return False
        elif head.expects_continue and not self.cycle.response_complete:
            self.cycle.body += part
            self.cycle.more_body = not ended
            self.cycle.message_event.set()
        if ended:
            self._head = None
            if not self._handed_over:
                self._arrived(head)
        elif self._has_ended:
            raise Refused(400, "The request ended early.")
        return ended

    def _arrived(self, head: Head) -> None:
        """Turn a whole request away, or hand it over."""
        # Here it costs a tenth of what it would behind the app: what is refused must be cheap, or
        # refusing leaves no time for the rest. Every POST of ours is a bet.
        if (
            self.crowding is not None
            and head.method == "POST"
            and self.crowding.turns_away(head.fields, self.peer, self.loop.time())
        ):
            keep = head.keep_alive
            self._was_answered = True
            self.transport.write(turned_away(well_formed_nonce(head.fields), keep=keep))
            if not keep:
                self.transport.close()
        else:
            self._hand_over(head, self._body)
        self._body = b""

    def _hand_over(self, head: Head, body: bytes | None) -> None:
        """Let the app begin; None: its body is still to come."""
        self._handed_over = True
        path = head.path.decode("ascii")
        self.headers = head.fields
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.0" if head.is_1_0 else "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,  # type: ignore[typeddict-item]
            "method": head.method,
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": head.path,
            "query_string": head.query,
            "headers": head.fields,
            "state": self.app_state.copy(),
            PEER: self.peer,
        }
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.expects_continue,
            keep_alive=head.keep_alive,
            on_response=self.on_response_complete,
        )
        if body is not None:
            self.cycle.body += body
            self.cycle.more_body = False
            self.cycle.message_event.set()
        self._start_asgi_task(self.cycle, self.app)

    # How it ends, and when.

    def _rests(self) -> bool:
        """Whether nothing is worked on, so that an answer now is no other request's."""
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, error: ApiError, head: Head | None = None) -> None:
        """Answer what cannot go on, and end the connection."""
        self._was_refused = True
        if not self._rests():
            # It was handed over before its body had come, and the app waits for the rest.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self._rests() or not self.cycle.response_started:
            fields, with_body = (head.fields, head.method != "HEAD") if head else ([], True)
            made = answer(error, fields, keep=False, with_body=with_body)
            self.transport.write(made)
        self.transport.close()

    def _closes(self) -> bool:
        """Called when the transport is closed; whether it lingers."""
        self._work_begins()
        # Whoever closes it: a client that reads nothing would keep it open for ever.
        self._expect_soon()
        unread = self._was_refused or self._has_surplus or self._head or self._reader.holds
        if not unread or self._has_ended:
            return False
        if self not in self.connections:  # it was refused for want of room
            if len(self._refused_lingering) >= self.refused_lingering_max:
                return False
            self._refused_lingering.add(self)
        self._lingered = self.loop.call_later(_LINGER_SECONDS, self._close_now)
        self.flow.resume_reading()
        return True

    def _close_now(self) -> None:
        self._work_begins()
        self._expect_soon()
        cast("CorkedTransport", self.transport).close_now()

    def _watch(self) -> None:
        """Set the timers for what the connection now waits for."""
        if self.transport.is_closing():
            return
        if self._head is None and self.cycle is not None and not self.cycle.response_complete:
            self._work_begins()  # the app's
            if self.flow.write_paused:
                self._expect_soon()
            else:
                self._expect_nothing()
        elif self._head is not None or self._reader.holds or self.flow.write_paused:
            self._work_begins()  # the client's
            self._expect_soon()
        elif self._has_ended:
            self._close_now()
        elif self._idle_since is None:
            self._rest()

    def _rest(self) -> None:
        """Be idle, until a request begins."""
        self._idle_since = self.loop.time()
        self._idle.add(self, known=self.peer.known)
        if self._was_answered:  # before, it has until `_late`, from its beginning
            self._expect_nothing()
            if self.timeout_keep_alive_task is None:
                self._rested_for_long()

    def _work_begins(self) -> None:
        if self._idle_since is not None:
            self._idle_since = None
            self._idle.discard(self)

    def _rested_for_long(self) -> None:
        """Close a connection that is idle for long; else look again when it may be."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # the next rest looks again; a timer for each would cost more
        most = self.known_keep_alive_seconds if self.peer.known else self.timeout_keep_alive
        left = self._idle_since + most - self.loop.time()
        if left <= 0:
            self._close_now()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self._rested_for_long)

    def _expect_soon(self) -> None:
        if self._late is None:
            within = self.arrives_within_seconds
            if self._head is not None and not self._handed_over:
                within = min(within, self.body_arrives_within_seconds)
            self._late = self.loop.call_later(within, self._too_late)

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        """End a connection on which nothing more is to be expected."""
        head = self._head
        if head is None or self._handed_over or self.transport.is_closing():
            self.transport.abort()
        else:
            self._late = None
            self._refuse(try_later("The body did not arrive in time."), head)


class TooFewFiles(BetcoreError):  # noqa: N818
    """The system lets this process have too few open files to serve."""


def bound_connections(settings: Settings) -> None:
    """Set this process's bounds, as many connections as the system lets it have files for.

    Raises TooFewFiles.
    """
    most, (_, files) = settings.connections_max, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    spare = _SPARE_FILES
    if files != resource.RLIM_INFINITY and files < most + spare:
        wanted = most + spare
        # Some of few files are for what may come at once beside the connections in use.
        spare = min(spare, max(_SPARE_FILES_LEAST, files // 2))
        most = min(most, files - spare)
        if most < min(_CONNECTIONS_LEAST, settings.connections_max):
            raise TooFewFiles(
                f"The system allows this process {files} open files, too few to serve: "
                f"raise the limit (ulimit -n) to {wanted}, or at least to {_FILES_LEAST}."
            )
        if most < settings.connections_max:
            _LOG.warning(
                "only %d of %d connections (BETCORE_CONNECTIONS_MAX) are possible, because the "
                "system allows %d open files: raise the limit (ulimit -n) to %d",
                *(most, settings.connections_max, files, wanted),
            )
    part = (spare - _OWN_FILES) // 3
    BoundedProtocol.connections_max = most
    BoundedProtocol.accepted_per_turn_max = min(MOST_PER_TURN, part)
    BoundedProtocol.refused_lingering_max = part // 2
    BoundedProtocol.arrives_within_seconds = settings.request_arrives_within_seconds
    BoundedProtocol.body_arrives_within_seconds = (
        settings.answer_within_seconds - settings.ask_primary_within_seconds
    )
    BoundedProtocol.body_bytes_max = settings.body_bytes_max
