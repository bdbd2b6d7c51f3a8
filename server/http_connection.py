"""Requests on a connection: reads one at a time, then gives it to the app or refuses it.

This module decides what a request is, in the order of the bytes (`server/http_reader.py`). It runs
the app for each one (`server/exchange.py`).
"""

import asyncio
from typing import Any, Final
from urllib.parse import unquote

import uvicorn
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from server.bounded_connection import Awaited, BoundedConnection
from server.bounds import Bounds
from server.exchange import BODY, Exchange
from server.front import Front, Refusal
from server.http_head import Head, Refused
from server.http_reader import BODY_BYTES_MAX, RequestReader
from server.open_connections import OpenConnections
from server.peer import PEER

#: Requests that may wait behind one in progress. No provider's client pipelines requests.
PIPELINED_MAX: Final = 32
#: How much of a streamed body may wait for the app. Then the client waits too.
STREAMED_BYTES_HELD: Final = 256 * 1024
_TOO_MANY_AHEAD: Final = Refusal(
    429, f"More than {PIPELINED_MAX} requests were sent without waiting for answers."
)
_BODY_TOO_LATE: Final = Refusal(503, "The body did not arrive in time.")


class HttpConnection(BoundedConnection):
    """A protocol for uvicorn's server, with requests that we read ourselves.

    The app gets a request when its body has arrived, or is known to be too long. A client may wait
    for the order to continue; its request goes to the app before the body. So does one to a path
    whose bodies are streamed. One request is in
    progress at a time. Later ones wait in the reader, and then in the client's system. So an
    invalid request is answered after the requests sent before it.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        bounds: Bounds,
        open_connections: OpenConnections,
        front: Front,
    ) -> None:
        """The first three parameters are uvicorn's. `config` is loaded, and has the app.

        `app_state` is that of the app's lifespan. `front` answers the requests that the app never
        sees. Other parameters are as in BoundedConnection.
        """
        super().__init__(server_state, bounds, open_connections)
        self._app = config.loaded_app
        self._server_state = server_state
        self._app_state = app_state
        self._front = front
        self._reader = RequestReader()
        self._head: Head | None = None  # the head of the request whose body arrives
        self._body = b""
        self._handed_over = False  # whether the app already has that request
        self._streams = False  # whether its body goes to the app as it arrives
        self._was_refused = False
        self._has_surplus = False  # a body is too long: its end is not looked for
        self._ahead_left: int | None = None  # how many requests sent ahead are still answered

    # Called by asyncio.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        self._addresses = get_local_addr(transport), get_remote_addr(transport)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if not self.transport.is_closing() and not self._has_surplus:
            self._reader.feed(data)
            self._advance()

    def eof_received(self) -> bool:
        """Called by asyncio. True: the request in progress is answered before the end."""
        self._has_ended = True
        if self.transport.is_closing():
            self._close_now()
        else:
            self._advance()
        return not self.transport.is_closing()

    # Called by an exchange.

    def _answered(self) -> None:
        self._was_answered = True
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self._advance()

    # From bytes to requests.

    def _advance(self) -> None:
        """Read on as far as possible."""
        try:
            while not self.transport.is_closing() and (self._read_body() or self._read_head()):
                pass
        except Refused as refused:
            self._refuse(Refusal(refused.status, refused.message), refused.head)
        self._watch()

    def _read_head(self) -> bool:
        """Read the next request's head. False: there is none, or it is not its turn yet."""
        if self._head is not None:
            return False
        if not self._is_between_requests():
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

    def _hold(self) -> None:
        """Leave requests sent ahead until their turn.

        A client that sends too many gets no more answers after these.
        """
        self.flow.pause_reading()
        if self._ahead_left is None and self._reader.holds_more_than(PIPELINED_MAX):
            self._ahead_left = PIPELINED_MAX

    def _begin(self, head: Head) -> None:
        """Begin a request. Its body may not have arrived yet."""
        self._head, self._body, self._handed_over = head, b"", False
        self._streams = head.path in self._bounds.streamed
        self._work_begins()
        self._expect_nothing()  # the body has its own time limit
        if self._streams:
            # The app may answer before the end of the body. The connection then closes.
            head.keep_alive = False
            self._reader.stream_body()
            self._hand_over(head, None)
        elif head.length is not None and head.length > self._bounds.body_bytes_max:
            # The app refuses it by its announced length. The body is read and dropped, so that the
            # next request can come. A body above BODY_BYTES_MAX is not read.
            head.expects_continue = False
            if head.length > BODY_BYTES_MAX:
                head.keep_alive, self._head, self._has_surplus = False, None, True
            self._hand_over(head, b"")
        elif head.expects_continue:
            self._hand_over(head, None)

    def _read_body(self) -> bool:
        """Read more of the body. False: there is no body, or no more of it has arrived."""
        head = self._head
        if head is None:
            return False
        part, ended = self._reader.body()
        if not self._handed_over:
            self._body = self._body + part if self._body else part
            if len(self._body) > self._bounds.body_bytes_max:
                head.keep_alive, self._head, self._has_surplus = False, None, True
                self._hand_over(head, self._body)
                return False
        elif head.expects_continue or self._streams:
            self._pass_on(part, ended=ended)
        if ended:
            self._head = None
            if not self._handed_over:
                self._arrived(head)
        elif self._has_ended:
            raise Refused(400, "The request ended early.")
        elif not self._handed_over:
            self._expect_soon(self._bounds.body_arrives_within_seconds)
        return ended

    def _pass_on(self, part: bytes, *, ended: bool) -> None:
        """Give a part of the body to the app, which has the request already."""
        if self.exchange is None:
            return
        self.exchange.arrive(part, ended=ended)
        if self._streams:
            self._expect_nothing()  # each part has the time limit for itself
            if self.exchange.holds_more_than(STREAMED_BYTES_HELD):
                self.flow.pause_reading()

    def _arrived(self, head: Head) -> None:
        """Give a whole request to the app, unless the app's front refuses it."""
        # A refusal here costs a tenth of one by the app. Refusals must be cheap, otherwise they
        # leave no time for other requests.
        refused = self._front.refuse_early(head, self.peer, self.loop.time())
        if refused is None:
            self._hand_over(head, self._body, is_whole=True)
        else:
            self._was_answered = True
            self.transport.write(refused)
            if not head.keep_alive:
                self.transport.close()
        self._body = b""

    def _hand_over(self, head: Head, body: bytes | None, *, is_whole: bool = False) -> None:
        """Start the app on a request. `body` None: the body is still to come.

        `is_whole`: nothing of the body was dropped.
        """
        self._handed_over = True
        path = head.path.decode("ascii")
        server, client = self._addresses
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.0" if head.is_1_0 else "1.1",
            "server": server,
            "client": client,
            "scheme": "http",  # TLS ends at a proxy
            "method": head.method,
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": head.path,
            "query_string": head.query,
            "headers": head.fields,
            "state": self._app_state.copy(),
            PEER: self.peer,
        }
        self.exchange = exchange = Exchange(
            scope,
            self.transport,
            self.flow,
            self._answered,
            keep_alive=head.keep_alive,
            expects_continue=head.expects_continue,
            default_headers=self._server_state.default_headers,
        )
        if body is not None:
            exchange.arrive(body, ended=True)
        if is_whole:
            scope[BODY] = body
        self._server_state.tasks.add(self.loop.create_task(self._run(exchange)))

    async def _run(self, exchange: Exchange) -> None:
        try:
            await exchange.run(self._app)
        finally:
            task = asyncio.current_task(self.loop)
            assert task is not None  # noqa: S101 - this is one
            self._server_state.tasks.discard(task)

    # Asked by the life of the connection.

    def _is_between_requests(self) -> bool:
        """Return whether no request is in progress: an answer now cannot be taken for another's."""
        return self.exchange is None or self.exchange.is_complete

    def _awaits(self) -> Awaited:
        if self._head is not None:
            return Awaited.CLIENT
        if not self._is_between_requests():
            return Awaited.APP
        return Awaited.CLIENT if self._reader.holds else Awaited.NOBODY

    def _has_unread(self) -> bool:
        has_part = self._head is not None or self._reader.holds
        return self._was_refused or self._has_surplus or has_part

    def _refuse(self, refusal: Refusal, head: Head | None = None) -> None:
        self._was_refused = True
        exchange = self.exchange
        if exchange is not None and not exchange.is_complete:
            # The app got it before its body had come, and waits for the rest.
            exchange.disconnect()
        if exchange is None or exchange.is_complete or not exchange.has_begun:
            self.transport.write(self._front.refuse(refusal, head))
        self.transport.close()

    def _too_late(self) -> None:
        """Called when what was expected soon has not come. The client is told if it was a body."""
        head = self._head
        if head is None or self._handed_over or self.transport.is_closing():
            self.transport.abort()
        else:
            self._late = None
            self._refuse(_BODY_TOO_LATE, head)
