"""How connections are accepted: few after a short turn of the event loop, many after a long one."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Any

import pytest
import uvloop

from server.acceptor import FEWEST_PER_TURN, MOST_PER_TURN, PER_SECOND, Acceptor
from server.uvicorn_server import listen

PENDING = 3 * MOST_PER_TURN
#: After a turn longer than that no more are accepted than after one of that length.
LONG = MOST_PER_TURN / PER_SECOND

Made = list[asyncio.BaseTransport]


class Watched(socket.socket):
    """A copy of a listener that counts, turn by turn, what is accepted; turns are as long as told.

    It fails by `error` once, when it is asked for a connection.
    """

    def __init__(self, listener: socket.socket, turn: float, error: OSError | None) -> None:
        super().__init__(fileno=listener.dup().detach())
        self.turn = turn  # seconds
        self.accepted: list[int] = []
        self._error = error

    def clock(self) -> float:
        """The time, which is asked once per turn."""
        self.accepted.append(0)
        return len(self.accepted) * self.turn

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        found = super().accept()
        self.accepted[-1] += 1
        return found

    def connect_one(self) -> socket.socket:
        """Connect one more client."""
        return socket.create_connection(self.getsockname())


@asynccontextmanager
async def accepting(listener: Watched) -> AsyncIterator[tuple[Acceptor, Made]]:
    """An acceptor, and what it has connected, which is closed at the end."""
    made = Made()

    class Collects(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

    acceptor = Acceptor(listener, Collects, listener.clock)
    try:
        yield acceptor, made
    finally:
        await acceptor.close()
        for transport in made:
            transport.close()


def waiting(
    count: int,
    story: Callable[[Watched], Coroutine[Any, Any, None]],
    turn: float = 0.0,
    error: OSError | None = None,
) -> None:
    """Tell a story of a listener at which so many connections wait."""
    with ExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", 0))
        watched = stack.enter_context(Watched(listener, turn, error))
        for _ in range(count):
            stack.enter_context(closing(watched.connect_one()))
        uvloop.run(story(watched))


async def turns(holds: Callable[[], bool]) -> int:
    """Let turns of the loop pass until a condition holds. Returns their number."""
    passed = 0
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0)
            passed += 1
    return passed


def test_short_turns_accept_few_each_and_leave_the_rest_to_another_gateway() -> None:
    async def story(listener: Watched) -> None:
        async with accepting(listener) as (_, made):
            await turns(lambda: len(made) == PENDING)

        taken = [count for count in listener.accepted if count]
        assert taken == [FEWEST_PER_TURN] * (PENDING // FEWEST_PER_TURN)

    waiting(PENDING, story, turn=FEWEST_PER_TURN / PER_SECOND / 2)


@pytest.mark.parametrize("turn", [LONG / 2, LONG, 10 * LONG])
def test_the_longer_a_turn_was_the_more_of_those_it_left_are_accepted(turn: float) -> None:
    async def story(listener: Watched) -> None:
        async with accepting(listener) as (_, made):
            await turns(lambda: len(made) == PENDING)

        first, *then, last = [count for count in listener.accepted if count]
        assert first == FEWEST_PER_TURN
        assert set(then) == {min(MOST_PER_TURN, round(turn * PER_SECOND))}
        assert last <= then[0]

    waiting(PENDING, story, turn=turn)


def test_a_long_time_without_connections_is_no_long_turn() -> None:
    async def story(listener: Watched) -> None:
        async with accepting(listener) as (_, made):
            await turns(lambda: len(made) == 1)
            clients = [listener.connect_one() for _ in range(MOST_PER_TURN)]
            await turns(lambda: len(made) == 1 + MOST_PER_TURN)
            for client in clients:
                client.close()

        assert listener.accepted[:3] == [1, 0, FEWEST_PER_TURN]

    waiting(1, story, turn=10 * LONG)


def test_what_was_accepted_is_connected_once_the_acceptor_is_closed() -> None:
    async def story(listener: Watched) -> None:
        async with accepting(listener) as (acceptor, made):
            await turns(lambda: acceptor.connecting > 0)

            await acceptor.close()

            assert len(made) == sum(listener.accepted) > 0
            assert acceptor.connecting == 0

    waiting(PENDING, story)


def test_a_closed_acceptor_accepts_nothing_more() -> None:
    async def story(listener: Watched) -> None:
        async with accepting(listener) as (acceptor, made):
            await turns(lambda: listener.accepted == [1, 0])  # and waits for the listener

            await acceptor.close()

            with closing(listener.connect_one()):
                for _ in range(20):
                    await asyncio.sleep(0)
            assert len(made) == 1

    waiting(1, story)


@pytest.mark.parametrize("reason", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_system_without_files_or_memory_is_not_asked_again_at_once(
    reason: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.acceptor._AGAIN_AFTER_SECONDS", 3600)
    monkeypatch.setattr("server.acceptor._LOG.filters", [])  # each of these tests may say it

    async def story(listener: Watched) -> None:
        async with accepting(listener) as (_, made):
            await turns(lambda: bool(listener.accepted))
            for _ in range(20):
                await asyncio.sleep(0)

            assert listener.accepted == [0]
            assert made == []
            # Or it would be woken at each turn.
            assert not asyncio.get_running_loop().remove_reader(listener)

        assert f"cannot accept connections: [Errno {reason}]" in caplog.text

    waiting(1, story, error=OSError(reason, os.strerror(reason)))


def test_a_system_without_files_is_asked_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.acceptor._AGAIN_AFTER_SECONDS", 0.01)

    async def story(listener: Watched) -> None:
        async with accepting(listener) as (_, made):
            await turns(lambda: bool(made))

            assert listener.accepted[:2] == [0, 1]

    waiting(1, story, error=OSError(errno.EMFILE, "no files"))


@pytest.mark.parametrize("reason", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM])
def test_a_client_that_has_gone_before_it_was_accepted_keeps_nobody_waiting(
    reason: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.acceptor._AGAIN_AFTER_SECONDS", 3600)

    async def story(listener: Watched) -> None:
        async with accepting(listener) as (_, made):
            await turns(lambda: bool(made))

            assert listener.accepted[:2] == [0, 1]
        assert caplog.text == ""

    waiting(1, story, error=OSError(reason, os.strerror(reason)))
