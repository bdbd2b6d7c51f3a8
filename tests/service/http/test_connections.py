"""Connections that end before an answer is sent, or before a request is done."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.wallet.front import WalletFront
from api.wallet.load_shedding import LoadShedder
from server.bounds import Bounds
from server.http_connection import HttpConnection
from server.uvicorn_server import Server, http_config
from settings import Settings
from tests.service.support.processes import until
from tests.service.support.raw import conversation, request

LONG = 3_600
#: Of what a client has not read, the system keeps some 12 KB in such buffers.
BUFFER_BYTES = 4_096
#: More than that, but less than what asyncio says `pause_writing` at, 64 KiB.
LARGE_BYTES = 60_000

CLOSE = {"Connection": "close"}
TURNED_AWAY = request("/bets", b"{}", {})
LAST_TURNED_AWAY = request("/bets", b"{}", CLOSE)
HELD = request("/held", b"", {}, method="GET")
LARGE = request("/large", b"", {}, method="GET")
LAST_LARGE = request("/large", b"", CLOSE, method="GET")


class Served:
    """Our protocol before a small app, as the gateway serves, but with timers of its own."""

    def __init__(self, listener: socket.socket, keep_alive: int, arrives_within: int) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.held_is_answered = threading.Event()
        self.paused = False
        world, load_shedder = self, LoadShedder(Settings())
        load_shedder.note(1_000, float("inf"))  # every bet is turned away

        class Watched(Server):
            def make_protocol(self) -> HttpConnection:
                protocol = super().make_protocol()
                pause_writing = protocol.pause_writing

                def pause() -> None:
                    world.paused = True
                    pause_writing()

                protocol.pause_writing = pause  # type: ignore[method-assign]
                return protocol

        config = http_config(Starlette(routes=[Route("/held", self._held), Route("/large", large)]))
        bounds = Bounds(
            arrives_within_seconds=arrives_within,
            keep_alive_seconds=keep_alive,
            known_keep_alive_seconds=keep_alive,
        )
        self.server = Watched(config, listener, bounds, WalletFront(load_shedder, 1))

    @property
    def connections(self) -> int:
        """The number of connections."""
        return len(self.server.server_state.connections)

    async def _held(self, _: Request) -> Response:
        await run_in_threadpool(self.held_is_answered.wait)
        return PlainTextResponse("held")


async def large(_: Request) -> Response:
    """A body that is larger than what the system keeps for a client that does not read."""
    return PlainTextResponse("x" * LARGE_BYTES)


@contextmanager
def served(*, keep_alive: int = LONG, arrives_within: int = LONG) -> Iterator[Served]:
    """A `Served` in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        world = Served(listener, keep_alive, arrives_within)
        thread = threading.Thread(target=world.server.run)
        thread.start()
        try:
            until(lambda: world.server.started)
            yield world
        finally:
            world.held_is_answered.set()
            world.server.should_exit = world.server.force_exit = True
            thread.join()


def test_the_timer_of_a_bet_turned_away_does_not_close_what_came_with_it() -> None:
    with (
        served(keep_alive=1) as world,
        conversation(world.url) as busy,
        conversation(world.url) as resting,
    ):
        busy.send(TURNED_AWAY * 2 + HELD)
        assert [busy.answer().code for _ in range(2)] == [99, 99]

        resting.send(TURNED_AWAY)
        assert resting.answer().code == 99
        with pytest.raises(AssertionError, match="closed without an answer"):
            resting.response()  # its timer began later
        world.held_is_answered.set()

        assert busy.response().text == "held"


@pytest.mark.parametrize(
    ("sent", "last", "keep_alive"),
    [
        (LARGE, b"no HTTP\r\n\r\n", LONG),
        (LARGE, LAST_TURNED_AWAY, LONG),
        (LARGE, TURNED_AWAY + LAST_TURNED_AWAY, LONG),
        (LARGE, b"", 1),
        (LAST_LARGE, b"", LONG),
    ],
    ids=["refused", "turned away", "turned away together", "rested for long", "asked to be closed"],
)
def test_a_closed_connection_whose_client_reads_nothing_is_not_kept(
    sent: bytes, last: bytes, keep_alive: int
) -> None:
    with served(keep_alive=keep_alive, arrives_within=1) as world, silent(world) as client:
        client.sendall(sent)
        assert client.recv(15, socket.MSG_PEEK) == b"HTTP/1.1 200 OK"
        client.sendall(last)

        until(lambda: not world.connections)

        assert not world.paused
        assert 0 < received(client) < LARGE_BYTES


@contextmanager
def silent(world: Served) -> Iterator[socket.socket]:
    """A connection for which the system keeps little that it has not read."""
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        client.connect(("127.0.0.1", int(world.url.rpartition(":")[2])))
        yield client


def received(connection: socket.socket) -> int:
    """How many bytes can be read until the connection ends."""
    count = 0
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            count += len(part)
    return count
