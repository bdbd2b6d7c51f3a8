"""HTTP as bytes, for requests that no HTTP client would send."""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO
from urllib.parse import urlsplit

import httpx

from tests.service.support.client import Answer, read_answer
from tests.service.support.patience import SOON

Headers = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]


class Conversation:
    """One connection to a gateway: bytes out, answers in."""

    def __init__(self, connection: socket.socket, answers: IO[bytes]) -> None:
        self._connection = connection
        self._answers = answers

    def send(self, *parts: bytes) -> None:
        """Send some bytes."""
        self._connection.sendall(b"".join(parts))

    def end(self) -> None:
        """Say that nothing more is sent."""
        self._connection.shutdown(socket.SHUT_WR)

    def response(self, *, head: bool = False) -> httpx.Response:
        """The next response, whatever it is; the answer to a HEAD has no body."""
        status = self._answers.readline().split()
        assert status, "the connection was closed without an answer"
        headers: list[tuple[bytes, bytes]] = []
        while (line := self._answers.readline().rstrip()) != b"":
            name, _, value = line.partition(b": ")
            headers.append((name, value))
        length = 0 if head else int(httpx.Headers(headers).get("content-length", 0))
        return httpx.Response(int(status[1]), headers=headers, content=self._answers.read(length))

    def answer(self) -> Answer:
        """The next answer of ours: JSON with a code."""
        return read_answer(self.response())


@contextmanager
def conversation(url: str, seconds: float = SOON) -> Iterator[Conversation]:
    """A connection to a gateway, on which one read waits at most that long."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 80)
    with (
        socket.create_connection(address, timeout=seconds) as connection,
        connection.makefile("rb") as answers,
    ):
        yield Conversation(connection, answers)


def ask(url: str, *parts: bytes) -> Answer:
    """The one answer to some bytes."""
    with conversation(url) as talk:
        talk.send(*parts)
        return talk.answer()


def request(
    path: str | bytes, body: bytes, headers: Headers, method: str = "POST", length: bool = True
) -> bytes:
    """A request as bytes, text in UTF-8; without `length` it does not say how long its body is."""
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    pairs.append(("Host", "gateway"))
    if length:
        pairs.append(("Content-Length", str(len(body))))
    lines = [b" ".join((method.encode(), _bytes(path), b"HTTP/1.1"))]
    lines += [_bytes(name) + b": " + _bytes(value) for name, value in pairs]
    return b"\r\n".join((*lines, b"", body))


def chunked(*parts: bytes) -> bytes:
    """A body in chunks, ended."""
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part]
    return b"".join((*chunks, b"0\r\n\r\n"))


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
