"""How connections are accepted: many in a turn of the event loop, shared out, none lost."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Any

import pytest
import uvloop

from ops.acceptor import FEWEST_PER_TURN, MOST_PER_TURN, Acceptor
from ops.gateway import listen

PENDING = 5 * MOST_PER_TURN
#: Turns from when a connection is taken off the system's list until its protocol has it.
TURNS_TO_CONNECT = 5

Listener = socket.socket
Made = list[asyncio.BaseTransport]


class Collects(asyncio.Protocol):
    """Adds its transport to a list once it is connected."""

    def __init__(self, made: Made) -> None:
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._made.append(transport)


class Failing(socket.socket):
    """A copy of a listener that fails, once, when it is asked for a connection."""

    def __init__(self, error: OSError, listener: Listener) -> None:
        super().__init__(fileno=listener.dup().detach())
        self._error: OSError | None = error

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        return super().accept()


def waiting(count: int, story: Callable[[Listener], Coroutine[Any, Any, None]]) -> None:
    """Tell a story of a listener at which so many connections wait."""
    with ExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", 0))
        for _ in range(count):
            client = socket.create_connection(listener.getsockname())
            stack.enter_context(closing(client))
        uvloop.run(story(listener))


async def turns_until(holds: Callable[[], bool]) -> int:
    """How many turns of the loop it takes until something holds."""
    turns = 0
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0)
            turns += 1
    return turns


@asynccontextmanager
async def accepting(listener: Listener) -> AsyncIterator[tuple[Acceptor, Made]]:
    """An acceptor, and what it has connected, which is closed at the end."""
    made = Made()
    acceptor = Acceptor(listener, lambda: Collects(made))
    try:
        yield acceptor, made
    finally:
        await acceptor.close()
        for transport in made:
            transport.close()


def test_many_connections_are_accepted_in_few_turns_of_the_loop() -> None:
    async def story(listener: Listener) -> None:
        async with accepting(listener) as (_, made):
            turns = await turns_until(lambda: len(made) == PENDING)

        # 8, 16, 32, 64, then 128 each.
        assert turns < 4 + PENDING / MOST_PER_TURN + TURNS_TO_CONNECT

    waiting(PENDING, story)


def test_a_few_connections_are_shared_with_another_process_at_the_port() -> None:
    async def story(listener: Listener) -> None:
        with listener.dup() as theirs:
            async with accepting(listener) as (_, first), accepting(theirs) as (_, second):
                await turns_until(lambda: len(first) + len(second) == 4 * FEWEST_PER_TURN)

                assert min(len(first), len(second)) >= FEWEST_PER_TURN

    waiting(4 * FEWEST_PER_TURN, story)


def test_what_was_accepted_is_connected_once_the_acceptor_is_closed() -> None:
    async def story(listener: Listener) -> None:
        async with accepting(listener) as (acceptor, made):
            await turns_until(lambda: acceptor.connecting > 0)

            await acceptor.close()

            assert len(made) >= FEWEST_PER_TURN
            assert acceptor.connecting == 0

    waiting(PENDING, story)


@pytest.mark.parametrize("reason", [errno.EMFILE, errno.ENOMEM])
def test_a_system_without_files_or_memory_is_asked_again_after_a_while(
    reason: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.acceptor._AGAIN_AFTER_SECONDS", 0.01)
    monkeypatch.setattr("ops.acceptor._LOG.filters", [])  # each of these tests may say it

    async def story(listener: Listener) -> None:
        with Failing(OSError(reason, "none left"), listener) as failing:
            async with accepting(failing) as (_, made):
                await turns_until(lambda: len(made) == FEWEST_PER_TURN)

        assert "cannot accept connections: " in caplog.text

    waiting(FEWEST_PER_TURN, story)


def test_a_client_that_has_gone_before_it_was_accepted_keeps_nobody_out() -> None:
    async def story(listener: Listener) -> None:
        with Failing(ConnectionAbortedError(), listener) as failing:
            async with accepting(failing) as (_, made):
                await turns_until(lambda: bool(made))

                assert len(made) == FEWEST_PER_TURN

    waiting(FEWEST_PER_TURN, story)
