"""Connections of the gateway, each bounded in time and bytes, so that none costs the others.

Uvicorn bounds neither how long a request may take to arrive nor how long its head may be, and keeps
a connection on which nothing was ever sent for as long as the client likes.
"""

import asyncio
import resource
from typing import Any, ClassVar, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.answer_log import log_answer
from api.calls import well_formed_nonce
from api.crowding import Crowding
from api.errors import OVERLOADED, ApiError, invalid, try_later
from ops.acceptor import MOST_PER_TURN
from ops.bare_answers import answer, turned_away
from ops.corked import CorkedTransport
from settings import Settings

HEAD_BYTES_MAX: Final = 16 * 1024
#: Of a whole request; what the app has refused as too long (413) is read and dropped up to here.
REQUEST_BYTES_MAX: Final = 1024 * 1024
#: Requests that wait behind one that is worked on. No provider's client sends any.
PIPELINED_MAX: Final = 32
_TURNED_AWAY: Final = try_later(OVERLOADED)
#: Files that the process needs besides: servers, logs, and connections about to be refused, which
#: are so only some turns of the loop after they were accepted.
_OTHER_FILES: Final = 100 + 3 * MOST_PER_TURN


class TooMuch(Exception):  # noqa: N818
    """A client sends more than any of ours needs to."""


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with an end to everything a client could leave half done."""

    #: In this process; above it a new one is refused.
    connections_max: ClassVar[int] = 500
    #: From a connection's beginning, or a request's first byte, to the request's last byte; and for
    #: as long a client may leave answers unread. More than any request may take.
    arrives_within_seconds: ClassVar[float] = 10.0
    #: Asked once for each bet that comes: whether to answer it with 99 at once.
    crowding: ClassVar[Crowding | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As uvicorn's."""
        super().__init__(*args, **kwargs)
        self._in_head = self._in_request = self._turned_away = False
        self._head_bytes = self._request_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        super().connection_made(transport)
        # Whoever closes it: a client that reads nothing would keep it open for ever.
        corked = CorkedTransport(transport, self.loop, on_close=self._expect_soon)
        self.transport = cast("asyncio.Transport", corked)
        if len(self.connections) > self.connections_max:
            self._refuse(try_later("There are too many connections."))
        else:
            self._expect_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        super().connection_lost(exc)
        self._expect_nothing()

    def data_received(self, data: bytes) -> None:
        """Called by asyncio. In parts, so that a part with a whole head shows how long it is."""
        for begin in range(0, len(data), HEAD_BYTES_MAX):
            if self.transport.is_closing():
                return
            self._part_received(data[begin : begin + HEAD_BYTES_MAX])

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._in_head = self._in_request = True
        self._unset_keepalive_if_required()  # of one turned away, with which this one came
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Called by the parser. Raises TooMuch, which ends the connection."""
        self._in_head = False
        if len(self.pipeline) >= PIPELINED_MAX:
            raise TooMuch
        if self._offers_upgrade():
            return
        # Here it costs a tenth of what it would behind the app: what is refused must be cheap, or
        # refusing leaves no time for the rest. Every POST of ours is a bet.
        self._turned_away = (
            self.crowding is not None
            and self.parser.get_method() == b"POST"
            and self._rests()
            and not self.expect_100_continue
            and self.crowding.turns_away(self.loop.time())
        )
        if not self._turned_away:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        if not self._turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._offers_upgrade():
            return
        self._in_request = False
        if not self._turned_away:
            super().on_message_complete()
            return
        self._turned_away = False
        log_answer(_TURNED_AWAY, self.headers, self.url)
        keep = self.parser.should_keep_alive()
        self.transport.write(turned_away(well_formed_nonce(self.headers), keep=keep))
        if keep:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, in the form of our other answers."""
        self._refuse(invalid(msg, 400))

    def pause_writing(self) -> None:
        """Called by asyncio when a client does not read its answers."""
        super().pause_writing()
        self._expect_soon()

    def resume_writing(self) -> None:
        """Called by asyncio when it has."""
        super().resume_writing()
        if not self._in_request:
            self._expect_nothing()

    def _part_received(self, part: bytes) -> None:
        self._unset_keepalive_if_required()
        self._parse(part)
        self._head_bytes = self._head_bytes + len(part) if self._in_head else 0
        self._request_bytes = self._request_bytes + len(part) if self._in_request else 0
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(invalid(f"The head is longer than {HEAD_BYTES_MAX} bytes.", 431))
        elif self._request_bytes > REQUEST_BYTES_MAX:
            self.transport.abort()
        elif self._in_request or (self._rests() and self.timeout_keep_alive_task is None):
            self._expect_soon()  # what came is no request, or not yet
        elif not self.flow.write_paused:
            self._expect_nothing()

    def _parse(self, part: bytes) -> None:
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade as upgrade:
            if self._offers_upgrade():
                again = self._without_upgrade() + part[upgrade.args[0] :]
                self._parse_again()
                self._parse(again)
        except httptools.HttpParserError:
            self.send_400_response("This is not HTTP/1.1 as we read it.")

    def _offers_upgrade(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _without_upgrade(self) -> bytes:
        """The head of a request that offers HTTP/2 or the like, which a server may ignore.

        The parser would take what follows it, the body, for that other protocol.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % pair for pair in self.headers if pair[0] != b"upgrade"]
        return b"\r\n".join((*lines, b"", b""))

    def _parse_again(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn: a client may send more than it should after `Connection: close`.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _rests(self) -> bool:
        """Whether nothing is worked on, so that an answer now is no other request's."""
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, error: ApiError) -> None:
        """Answer, if nothing is worked on, and close the connection."""
        if self._rests():
            log_answer(error, self.headers or (), self.url or b"")
            self.transport.write(answer(error, self.headers or (), keep=False))
        self.transport.close()

    def _expect_soon(self) -> None:
        if self._late is None:
            within = self.arrives_within_seconds
            self._late = self.loop.call_later(within, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def bound_connections(settings: Settings) -> None:
    """Set this process's bounds: so many connections, if the system lets it have the files."""
    most, (_, files) = settings.connections_max, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if files != resource.RLIM_INFINITY:
        most = min(most, files - _OTHER_FILES)
    BoundedProtocol.connections_max = max(1, most)
    BoundedProtocol.arrives_within_seconds = settings.request_arrives_within_seconds
