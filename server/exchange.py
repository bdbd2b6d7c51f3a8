"""One request and its answer, as an ASGI app sees them (ASGI 3.0, HTTP spec 2.3)."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import FlowControl

from server.front import PLAIN_TEXT, response

#: The key in a request's scope where our server puts its body, if that has arrived as a whole.
BODY: Final = "betcore.body"
#: The same for the moment when the whole request had arrived, by `time.monotonic()`.
ARRIVED: Final = "betcore.arrived"

_LOG = logging.getLogger("betcore.exchange")
_BAD_NAME = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]|\A\Z")
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
#: An answer with one of these statuses has no body.
_WITHOUT_BODY: Final = (204, 304)
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_FAILED: Final = response(500, b"Internal Server Error", PLAIN_TEXT, keep=False)


class CutOff(Exception):  # noqa: N818
    """An app raises it to end the connection without an answer."""


class Exchange:
    """Gives a request to an app, and writes what the app answers.

    The head of an answer is written together with the first part of its body. So most answers are
    one write. Everything is written in order, and nothing after the client has gone.
    """

    __slots__ = (
        *("keep_alive", "has_begun", "is_complete", "_scope", "_transport", "_flow"),
        *("_on_complete", "_expects_continue", "_default_headers", "_is_disconnected"),
        *("_arrived", "_more_follows", "_has_news", "_news"),
        *("_head", "_has_body", "_is_chunked", "_left"),
    )

    def __init__(
        self,
        scope: Scope,
        transport: asyncio.Transport,
        flow: FlowControl,
        on_complete: Callable[[], None],
        *,
        keep_alive: bool,
        expects_continue: bool = False,
        default_headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        """`on_complete` is called once the whole answer is written.

        `keep_alive`: the connection may be used again. `expects_continue`: the client waits for
        the order to send the body. `default_headers` belong to every answer.
        """
        self.keep_alive = keep_alive
        self.has_begun = False  # a part of the answer is written
        self.is_complete = False
        self._scope = scope
        self._transport = transport
        self._flow = flow
        self._on_complete = on_complete
        self._expects_continue = expects_continue
        self._default_headers = default_headers
        self._is_disconnected = False
        # The request's body.
        self._arrived = b""
        self._more_follows = True
        self._has_news = False
        self._news: asyncio.Event | None = None  # made by the first wait; most requests never wait
        # The answer.
        self._head: bytes | None = None  # made, and perhaps written
        self._has_body = True
        self._is_chunked = False
        self._left: int | None = None  # bytes of the body that the app still owes; None: any number

    # Called by the connection.

    def arrive(self, part: bytes, *, ended: bool) -> None:
        """Take a part of the request's body. `ended`: it was the last one."""
        self._arrived += part
        self._more_follows = not ended
        self._tell()

    def holds_more_than(self, number: int) -> bool:
        """Return whether more bytes of the body than `number` wait for the app."""
        return len(self._arrived) > number

    def disconnect(self) -> None:
        """Tell the app that the client has gone. What the app still answers is dropped."""
        self._is_disconnected = True
        self._tell()

    async def run(self, app: ASGIApp) -> None:
        """Run the app on the request. The client gets an answer whatever the app does."""
        try:
            await app(self._scope, self.receive, self.send)
        except CutOff:
            self.keep_alive = False
            self._transport.abort()
            self._complete()
            return
        except BaseException:  # also a cancellation: the process ends
            _LOG.exception("Exception in ASGI application")
        else:
            if self.is_complete or self._is_disconnected:
                return
            _LOG.error("The ASGI application returned without a complete answer.")
        if not self.has_begun and not self._is_disconnected:
            self._transport.write(_FAILED)
        self.keep_alive = False
        if self.is_complete:
            self._transport.close()
        else:
            self._complete()

    # Called by the app.

    async def receive(self) -> Message:
        """Return the next part of the body, or wait for the end of the exchange."""
        if self._expects_continue and not self._transport.is_closing():
            self._expects_continue = False
            self._transport.write(_CONTINUE)
        if not self._has_news and not self._is_over():
            self._flow.resume_reading()
            if self._news is None:
                self._news = asyncio.Event()
            await self._news.wait()
            self._news.clear()
        self._has_news = False
        if self._is_over():
            return {"type": "http.disconnect"}
        part, self._arrived = self._arrived, b""
        return {"type": "http.request", "body": part, "more_body": self._more_follows}

    async def send(self, message: Message) -> None:
        """Write the next part of the answer. Waits while the client does not read."""
        if self._flow.write_paused and not self._is_disconnected:
            await self._flow.drain()
        if self._is_disconnected:
            return
        wanted = "http.response.start" if self._head is None else "http.response.body"
        if message["type"] != wanted or self.is_complete:
            when = "after a complete answer" if self.is_complete else f"instead of {wanted}"
            raise RuntimeError(f"The app has sent {message['type']} {when}.")
        if self._head is None:
            self._expects_continue = False
            self._head = self._make_head(message["status"], message.get("headers", ()))
        else:
            self._write(message.get("body", b""), is_last=not message.get("more_body", False))

    # How an answer is written.

    def _make_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Return the bytes of the head. It decides how the end of the body is marked."""
        lines = [_status_line(status)]
        closes = False
        for name, value in (*self._default_headers, *headers):
            match name.lower():
                case b"content-length":
                    self._left = int(value)
                case b"transfer-encoding":  # ours to decide
                    continue
                case b"connection":
                    closes = closes or b"close" in value.lower()
            lines.append(_line(name, value))
        self._has_body = self._scope["method"] != "HEAD" and status not in _WITHOUT_BODY
        if self._has_body and self._left is None and self._scope["http_version"] != "1.0":
            self._is_chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)

    def _write(self, body: bytes, *, is_last: bool) -> None:
        """Write a part of the body, after the head if that is not written yet."""
        assert self._head is not None  # noqa: S101 - see `send`
        data = b"" if self.has_begun else self._head
        if self._has_body and self._is_chunked:
            if body:
                data += b"%x\r\n%b\r\n" % (len(body), body)
            if is_last:
                data += b"0\r\n\r\n"
        elif self._has_body:
            if self._left is not None:
                self._left -= len(body)
                if self._left < 0 or (is_last and self._left):
                    raise RuntimeError("The body of the answer has not its Content-Length.")
            data += body
        if data:
            self.has_begun = True
            self._transport.write(data)
        if is_last:
            self._complete()

    def _complete(self) -> None:
        self.is_complete = True
        self._tell()
        if not self.keep_alive:
            self._transport.close()
        self._on_complete()

    def _is_over(self) -> bool:
        return self._is_disconnected or self.is_complete

    def _tell(self) -> None:
        """Wake the app if it waits in `receive`."""
        self._has_news = True
        if self._news is not None:
            self._news.set()


@lru_cache(maxsize=1024)  # most answers have the same few headers
def _line(name: bytes, value: bytes) -> bytes:
    if _BAD_NAME.search(name) or _BAD_VALUE.search(value):
        raise RuntimeError(f"The app has sent a header that HTTP forbids: {name!r:.80}")
    return b"%b: %b\r\n" % (name, value)


@cache
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()
