"""Requests on a connection of the gateway: read one at a time, handed to the app, or refused.

Uvicorn runs the app for each request. This module decides what a request is, in the order of the
bytes (`server/http_reader.py`).
"""

import asyncio
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.answer_log import log_answer
from api.calls import well_formed_nonce
from api.crowding import Crowding
from api.errors import OVERLOADED, ApiError, invalid, try_later
from server.bare_answers import answer, turned_away
from server.connection_life import Awaited, BoundedLife
from server.file_limit import bound_connections_by_files
from server.http_head import Head, Refused
from server.http_reader import BODY_BYTES_MAX, RequestReader
from server.peer import PEER
from settings import Settings

#: Requests that wait behind one that is worked on. No provider's client sends any.
PIPELINED_MAX: Final = 32
_TOO_MANY_AHEAD: Final = ApiError(
    429, 99, f"More than {PIPELINED_MAX} requests were sent without waiting for answers."
)
_TURNED_AWAY: Final = try_later(OVERLOADED)


class BoundedProtocol(BoundedLife):
    """Uvicorn's protocol with requests read by us.

    A request is handed to the app once its body has arrived, or is known to be too long; only for
    a client that waits to be told to continue it is handed over before. One is worked on at a time:
    what is sent behind it waits in the reader, and then in the client's system. So what is wrong
    with one is answered after those that were sent before it.
    """

    #: From the end of a request's head to the end of its body; after that it is answered with 99.
    body_arrives_within_seconds: ClassVar[float] = 4.5
    #: More than that is not kept for the app, which refuses it.
    body_bytes_max: ClassVar[int] = 16 * 1024
    #: Asked once for each bet that comes: whether to answer it with 99 at once.
    crowding: ClassVar[Crowding | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As uvicorn's."""
        super().__init__(*args, **kwargs)
        self.parser = None  # type: ignore[assignment]  # ours is the reader
        self._reader = RequestReader()
        self._head: Head | None = None  # of the request whose body arrives
        self._body = b""
        self._handed_over = False  # whether the app has that one already
        self._was_refused = False
        self._has_surplus = False  # a body is too long, and where it ends is not looked for
        self._ahead_left: int | None = None  # so many are still answered of what was sent ahead

    # Called by asyncio and uvicorn.

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

    def _hold(self) -> None:
        """Leave what was sent ahead until its turn; who sends too much gets no more after that."""
        self.flow.pause_reading()
        if self._ahead_left is None and self._reader.holds_more_than(PIPELINED_MAX):
            self._ahead_left = PIPELINED_MAX

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
        elif not self._handed_over:
            self._expect_soon(self.body_arrives_within_seconds)
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
            self._was_answered = True
            log_answer(_TURNED_AWAY, head.fields, head.path)
            keep = head.keep_alive
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

    # What the life of the connection asks.

    def _rests(self) -> bool:
        """Whether nothing is worked on, so that an answer now is no other request's."""
        return self.cycle is None or self.cycle.response_complete

    def _awaits(self) -> Awaited:
        if self._head is not None:
            return Awaited.CLIENT
        if not self._rests():
            return Awaited.APP
        return Awaited.CLIENT if self._reader.holds else Awaited.NOBODY

    def _has_unread(self) -> bool:
        has_part = self._head is not None or self._reader.holds
        return self._was_refused or self._has_surplus or has_part

    def _refuse(self, error: ApiError, head: Head | None = None) -> None:
        self._was_refused = True
        rests = self._rests()
        if not rests:
            # It was handed over before its body had come, and the app waits for the rest.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if rests or not self.cycle.response_started:
            fields, path = (head.fields, head.path) if head else ([], b"")
            with_body = head is None or head.method != "HEAD"
            log_answer(error, fields, path)
            self.transport.write(answer(error, fields, keep=False, with_body=with_body))
        self.transport.close()

    def _too_late(self) -> None:
        """Called when what was expected soon has not come: of a body, the client is told."""
        head = self._head
        if head is None or self._handed_over or self.transport.is_closing():
            self.transport.abort()
        else:
            self._late = None
            self._refuse(try_later("The body did not arrive in time."), head)


def bound_connections(settings: Settings) -> None:
    """Set this process's bounds, as many connections as the system lets it have files for.

    Raises TooFewFiles.
    """
    bound_connections_by_files(BoundedProtocol, settings.connections_max)
    BoundedProtocol.arrives_within_seconds = settings.request_arrives_within_seconds
    BoundedProtocol.body_arrives_within_seconds = (
        settings.answer_within_seconds - settings.ask_primary_within_seconds
    )
    BoundedProtocol.body_bytes_max = settings.body_bytes_max
