"""An app's answer as bytes: its end is always marked, and whatever an app does there is one."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl

from server.exchange import Exchange
from tests.unit.http_wire import FakeTransport

FAILED = b"HTTP/1.1 500 Internal Server Error\r\n"


class Client:
    """One request to an app, and what its client sees."""

    def __init__(self, *, method: str = "GET", version: str = "1.1", **changed: Any) -> None:
        self.transport, self.completed = FakeTransport(), 0
        transport = cast("asyncio.Transport", self.transport)
        self.flow = FlowControl(transport)
        scope = {"type": "http", "method": method, "http_version": version}
        parts = {"keep_alive": version == "1.1"} | changed
        self.exchange = Exchange(scope, transport, self.flow, self._complete, **parts)

    @property
    def seen(self) -> bytes:
        """What was written to the client."""
        return bytes(self.transport.written)

    async def ask(self, app: ASGIApp) -> bytes:
        """Run the app, and return what was written to the client."""
        await self.exchange.run(app)
        return self.seen

    def _complete(self) -> None:
        self.completed += 1


def sends(*messages: Message) -> ASGIApp:
    """An app that answers with these messages."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(part: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": part, "more_body": more}


LENGTH = (b"content-length", b"2")


@pytest.mark.parametrize(
    ("request_", "messages", "written"),
    [
        ({}, [start(LENGTH), body(b"ok")], b"content-length: 2\r\n\r\nok"),
        ({}, [start(LENGTH), body(b"o", more=True), body(b"k")], b"content-length: 2\r\n\r\nok"),
        ({}, [start(), body(b"ok")], b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        (
            {},
            [start((b"Transfer-Encoding", b"gzip, chunked")), body(b"o", more=True), body()],
            b"transfer-encoding: chunked\r\n\r\n1\r\no\r\n0\r\n\r\n",
        ),
        ({"method": "HEAD"}, [start(LENGTH), body(b"ok")], b"content-length: 2\r\n\r\n"),
        ({"method": "HEAD"}, [start(), body(b"ok")], b"\r\n"),
        ({}, [start(status=304), body()], b"\r\n"),
        ({}, [start(LENGTH, status=204), body(b"ok")], b"content-length: 2\r\n\r\n"),
        ({"version": "1.0"}, [start(), body(b"ok")], b"connection: close\r\n\r\nok"),
        ({}, [start((b"Connection", b"Close"), LENGTH), body(b"ok")], b"\r\n\r\nok"),
        (
            {"default_headers": [(b"date", b"now")]},
            [start(LENGTH), body(b"ok")],
            b"date: now\r\ncontent-length: 2\r\n\r\nok",
        ),
    ],
)
async def test_the_end_of_every_answer_is_marked(
    request_: dict[str, Any], messages: Sequence[Message], written: bytes
) -> None:
    client = Client(**request_)

    seen = await client.ask(sends(*messages))

    status, _, rest = seen.partition(b"\r\n")
    assert status.startswith(b"HTTP/1.1 %d " % messages[0]["status"])
    assert rest.endswith(written)
    assert client.completed == 1
    keeps = b"close" not in rest.lower()
    assert client.transport.ended == (not keeps)


async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("out of luck")


async def cancelled(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    "app",
    [
        *(broken, cancelled, sends(), sends(start()), sends(body(b"ok"))),
        sends(start(LENGTH), start(LENGTH)),
        sends(start(LENGTH), body(b"o")),
        sends(start(LENGTH), body(b"too long")),
        sends(start((b"x-note", b"a\r\nx-forged: b")), body()),
        sends(start((b"x note", b"a")), body()),
        sends(start((b"", b"a")), body()),
    ],
)
async def test_an_app_that_fails_before_its_answer_is_answered_500(app: ASGIApp) -> None:
    client = Client()

    seen = await client.ask(app)

    assert seen.startswith(FAILED)
    assert seen.count(b"HTTP/1.1") == 1
    assert b"forged" not in seen
    assert (client.completed, client.transport.ended) == (1, True)


@pytest.mark.parametrize("last", [[], [body(b"too long")], [start()]])
async def test_an_answer_that_ends_early_ends_its_connection(last: list[Message]) -> None:
    client = Client()

    seen = await client.ask(sends(start(LENGTH), body(b"o", more=True), *last))

    assert seen.endswith(b"\r\n\r\no")
    assert (client.completed, client.transport.ended) == (1, True)


async def test_what_follows_a_whole_answer_is_never_written() -> None:
    client = Client()

    seen = await client.ask(sends(start(LENGTH), body(b"ok"), body(b"more")))

    assert seen.endswith(b"\r\n\r\nok")
    assert (client.completed, client.transport.ended) == (1, True)


async def settle() -> None:
    """Let the app go on until it waits."""
    for _ in range(3):
        await asyncio.sleep(0)


def arrives(exchange: Exchange) -> None:
    exchange.arrive(b"late", ended=True)


@pytest.mark.parametrize("happens", [arrives, Exchange.disconnect])
async def test_an_app_waits_for_the_body_or_the_end_of_the_connection(
    happens: Callable[[Exchange], None],
) -> None:
    client, received = Client(expects_continue=True), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.append(await receive())
        await sends(start(LENGTH), body(b"ok"))(scope, receive, send)
        received.append(await receive())

    running = asyncio.create_task(client.exchange.run(app))
    await settle()
    assert client.seen == b"HTTP/1.1 100 Continue\r\n\r\n"
    happens(client.exchange)
    await running

    gone = {"type": "http.disconnect"}
    came = {"type": "http.request", "body": b"late", "more_body": False}
    assert received == [came if happens is arrives else gone, gone]
    assert client.seen.endswith(b"ok") == (happens is arrives)


async def test_an_app_waits_while_the_client_does_not_read() -> None:
    client = Client()
    client.flow.pause_writing()

    running = asyncio.create_task(client.exchange.run(sends(start(LENGTH), body(b"ok"))))
    await settle()
    assert client.seen == b""

    client.flow.resume_writing()
    await running
    assert client.seen.endswith(b"ok")
