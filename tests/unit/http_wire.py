"""Our protocol without a network: a test feeds it bytes in parts and collects its answers."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from api.wallet.app import create_app
from api.wallet.front import WalletFront
from api.wallet.load_shedding import LoadShedder
from broker.admission import Admission, Verdict
from broker.link import Link
from models.keys import Purpose
from server.bounds import Bounds
from server.http_connection import HttpConnection
from server.open_connections import OpenConnections
from server.uvicorn_server import http_config
from settings import Settings
from tests.service.support import keys
from tests.unit.gateway_parts import DONE, Behind, services_on


@dataclass(frozen=True)
class Outcome:
    """What a client sees: each answer, and whether the connection was ended."""

    answers: tuple[tuple[int, bytes], ...]  # status and body
    ended: bool


@dataclass
class Seen:
    """A request as the app received it."""

    method: str
    target: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""


class FakeTransport:
    """Stands for asyncio's transport, and keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.paused = False
        self._over = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing more can be written."""
        return self._over.is_set()

    async def end(self) -> None:
        """Wait until nothing more can be written."""
        await asyncio.wait_for(self._over.wait(), 60)

    def write(self, data: bytes) -> None:
        assert not self.ended, "written after the end"
        self.written += data

    def write_eof(self) -> None:
        self._over.set()

    close = abort = write_eof

    def is_closing(self) -> bool:
        return self.ended

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_extra_info(self, _: str) -> None:
        return None


class InstantLink:
    """A link that admits everything and knows every result at once. `seen` are the admissions."""

    stream = "betcore:replies:this"

    def submit(self, admission: Admission) -> asyncio.Future[Any]:
        admission.resolve(DONE.to_json() if admission.command else Verdict.CLAIMED)
        return admission.future


class Connections:
    """Connections to one gateway: the real app, whose queue answers at once."""

    def __init__(
        self, app: ASGIApp, bounds: Bounds | None = None, load_shedder: LoadShedder | None = None
    ) -> None:
        self._app = app
        self._bounds = bounds or Bounds()
        self._open_connections = OpenConnections()
        self._front = WalletFront(load_shedder or LoadShedder(Settings()), 1)
        self.seen: list[Seen] = []
        self.state = ServerState()

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(scope, receive, send)

        self.config = http_config(watched)
        self.config.load()

    async def ask(self, parts: Iterable[bytes], *, end: bool = False) -> Outcome:
        """Send parts, each in its own turn of the loop. `end`: then say that nothing follows."""
        async with self.open() as (protocol, transport):
            waiting = list(parts)
            with_body = not b"".join(waiting).startswith(b"HEAD ")
            while waiting and not transport.ended:
                if not transport.paused:
                    protocol.data_received(waiting.pop(0))
                await self.settle()
            if end and not transport.ended and not protocol.eof_received():
                protocol.transport.close()
            await self.settle()
            return Outcome(answers(bytes(transport.written), with_body=with_body), transport.ended)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[HttpConnection, FakeTransport]]:
        """One connection."""
        transport = FakeTransport()
        protocol = HttpConnection(
            self.config, self.state, {}, self._bounds, self._open_connections, self._front
        )
        protocol.connection_made(cast("asyncio.Transport", transport))
        try:
            yield protocol, transport
        finally:
            if protocol in self.state.connections or not transport.ended:
                transport.abort()
                protocol.connection_lost(None)

    async def settle(self) -> None:
        """Wait until no request is in progress."""
        while self.state.tasks:
            await asyncio.wait([*self.state.tasks])
        await asyncio.sleep(0)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        seen = Seen(scope["method"], scope["raw_path"] + query, scope["headers"])
        self.seen.append(seen)

        async def note() -> Any:
            message = await receive()
            seen.body += message.get("body", b"")
            return message

        await self._app(scope, note, send)


@asynccontextmanager
async def connections(**changed: Any) -> AsyncIterator[Connections]:
    """Connections to a gateway with these settings."""
    # The requests of a table are signed when it is made.
    usual: dict[str, Any] = {
        "secrets_key": keys.HEX[Purpose.SECRETS],
        "timestamp_tolerance_seconds": 1_000_000,
        "directory_max_age_seconds": 3_600,
    }
    settings = Settings(**usual | changed)
    services = services_on(settings, cast("Link", InstantLink()), Behind())
    try:
        yield Connections(create_app(services), load_shedder=services.load_shedder)
    finally:
        await services.stop()


def answers(written: bytes, *, with_body: bool = True) -> tuple[tuple[int, bytes], ...]:
    """The answers in some bytes: status and body; those to a HEAD have none."""
    found: list[tuple[int, bytes]] = []
    while written:
        head, end, written = written.partition(b"\r\n\r\n")
        assert end, head
        line, *fields = head.split(b"\r\n")
        lengths = [int(one[16:]) for one in fields if one.lower().startswith(b"content-length: ")]
        length = sum(lengths) if with_body else 0
        assert line.startswith(b"HTTP/1.1 "), line
        assert len(written) >= length
        found.append((int(line[9:12]), written[:length]))
        written = written[length:]
    return tuple(found)


def cuts(sent: bytes) -> Iterable[Sequence[bytes]]:
    """Every way to send it in two parts."""
    return ((sent[:at], sent[at:]) for at in range(1, len(sent)))


def bytewise(sent: bytes) -> list[bytes]:
    """Each byte by itself."""
    return [sent[at : at + 1] for at in range(len(sent))]
