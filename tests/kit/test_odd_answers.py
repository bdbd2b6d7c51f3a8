"""What the client makes of answers that no wallet should give: a doubt, and no exception."""

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Thread

import pytest

from betcore_kit import AsyncClient, BetAnswer, Client, Code, Identity, Outcome, PayIn, Schedule


@contextmanager
def serving_bytes(parts: Callable[[], Iterator[bytes]]) -> Iterator[str]:
    """A wallet that answers every connection with these bytes, and then closes it; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65536)
                for part in parts():
                    connection.sendall(part)

        def accept() -> None:
            with ThreadPoolExecutor() as threads, suppress(OSError):
                while True:
                    threads.submit(answer, listener.accept()[0])

        thread = Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _no_gzip() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone"


def _endless() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield from itertools.repeat(b"10000\r\n" + bytes(65536) + b"\r\n")


def _dripping() -> Iterator[bytes]:
    # Never silent, and for so long that the client's time is over first.
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    yield from itertools.repeat(b" ")


def _elsewhere() -> Iterator[bytes]:
    yield b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("parts", "timeout"), [(_no_gzip, 30), (_endless, 30), (_dripping, 0.4), (_elsewhere, 30)]
)
def test_an_answer_that_cannot_be_read_is_a_doubt_and_never_an_exception(
    parts: Callable[[], Iterator[bytes]], timeout: float
) -> None:
    async def asked(url: str) -> BetAnswer:
        async with AsyncClient(url, identity, schedule) as client:
            return await client.bet(PayIn("s", "b", 1))

    identity, schedule = Identity("1", "secret"), Schedule(timeout=timeout, questions=())
    with serving_bytes(parts) as url:
        with Client(url, identity, schedule) as client:
            answer = client.bet(PayIn("s", "b", 1))
        assert answer == asyncio.run(asked(url))

    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, Code.UNKNOWN)
