"""An open loop on as many connections as it takes: each request leaves when it is due.

With wrk, a connection has its own schedule and sends late while it waits, so that it takes a
connection for each request that can be under way at once: in an overload thousands, and as many
threads. Here the next free connection sends, and one more is opened when none is free.
"""

import gc
import re
import resource
import selectors
import socket
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

CONNECTIONS_MAX: Final = 8_192
_ANSWERED_WITHIN_SECONDS: Final = 10.0  # after the last was sent
_LENGTH = re.compile(rb"content-length: ([0-9]+)\r\n", re.IGNORECASE)
_CODE = re.compile(rb'"_responseCode": ?([0-9]+)')
_READ_BYTES = 16 * 1024

#: Kinds of answers that have no code: none came, or none of ours.
UNANSWERED, UNREADABLE = -1, -2


@dataclass
class Sent:
    """What became of each request, by its place in the order in which they were due.

    Seconds are counted from the moment at which it should have been sent.
    """

    due: Sequence[float]  # seconds from the beginning
    left: "array[float]" = field(init=False)  # seconds until it was sent; -1: it never was
    took: "array[float]" = field(init=False)  # seconds until it was answered
    kinds: "array[int]" = field(init=False)  # `_responseCode`, or one of the kinds above
    connections: int = 0  # opened in all
    cpu_seconds: float = 0.0  # of the generator itself

    def __post_init__(self) -> None:
        count = len(self.due)
        self.left, self.took = array("d", [-1.0]) * count, array("d", [0.0]) * count
        self.kinds = array("i", [UNANSWERED]) * count


class OpenLoop:
    """Sends requests to one address, each at its time; use once."""

    def __init__(self, url: str, due: Sequence[float], requests: Sequence[bytes]) -> None:
        """`due`: seconds from the beginning, ascending, one for each request."""
        address = urlsplit(url)
        self._address = (address.hostname or "", address.port or 80)
        self._requests = requests
        self._sent = Sent(due)
        self._selector = selectors.DefaultSelector()
        self._free: list[_Connection] = []
        self._waiting = 0
        self._begin = 0.0  # monotonic

    def run(self, begin: float) -> Sent:
        """Send all of them, the first at `begin` (monotonic); wait until they are answered."""
        sent, used = self._sent, time.process_time()
        self._begin = begin
        with _undisturbed(), self._selector:
            self._loop()
            for key in list(self._selector.get_map().values()):
                key.data.socket.close()
        sent.cpu_seconds = time.process_time() - used
        return sent

    def _loop(self) -> None:
        due, count, position = self._sent.due, len(self._requests), 0
        while True:
            now = time.monotonic() - self._begin
            while position < count and due[position] <= now:
                if not self._send(position, now):
                    break
                position += 1
                now = time.monotonic() - self._begin
            if position < count:
                patience = max(0.0, due[position] - now)
            elif self._waiting:
                patience = due[-1] + _ANSWERED_WITHIN_SECONDS - now
            else:
                return
            if patience < 0:
                return
            for key, _ in self._selector.select(patience):
                self._receive(key.data)

    def _send(self, position: int, now: float) -> bool:
        """Send one request; False when there is no connection for it."""
        connection = self._free.pop() if self._free else self._open()
        if connection is None:
            return False
        self._sent.left[position] = now - self._sent.due[position]
        connection.position = position
        self._waiting += 1
        if connection.connected:
            self._write(connection)
        return True

    def _write(self, connection: "_Connection") -> None:
        assert connection.position is not None  # noqa: S101 - it has just been given one
        request = self._requests[connection.position]
        try:
            whole = connection.socket.send(request)
        except OSError:
            whole = 0
        if whole != len(request):  # a buffer holds many of them
            self._lose(connection)

    def _open(self) -> "_Connection | None":
        if self._sent.connections >= CONNECTIONS_MAX:
            return None
        connection = _Connection(socket.socket())
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.socket.setblocking(False)
        # A server that is slow to accept must not hold up the others: never wait for it here.
        connection.socket.connect_ex(self._address)
        self._selector.register(connection.socket, selectors.EVENT_WRITE, connection)
        self._sent.connections += 1
        return connection

    def _receive(self, connection: "_Connection") -> None:
        if not connection.connected:
            connection.connected = True
            self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
            self._write(connection)
            return
        try:
            read = connection.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            read = b""
        position = connection.position
        if not read or position is None:
            self._lose(connection)
            return
        connection.read = answer = connection.read + read
        head, found, body = answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        if not found or length is None or len(body) < int(length[1]):
            return
        code = _CODE.search(body)
        self._sent.took[position] = time.monotonic() - self._begin - self._sent.due[position]
        self._sent.kinds[position] = int(code[1]) if code else UNREADABLE
        self._waiting -= 1
        connection.position, connection.read = None, b""
        if b"connection: close" in head:
            self._lose(connection)
        else:
            self._free.append(connection)

    def _lose(self, connection: "_Connection") -> None:
        """Be without a connection; what waits on it stays unanswered."""
        self._selector.unregister(connection.socket)
        connection.socket.close()
        if connection.position is not None:
            self._waiting -= 1
        elif connection in self._free:
            self._free.remove(connection)


class _Connection:
    """One connection, and the request that waits for its answer."""

    __slots__ = ("connected", "position", "read", "socket")

    def __init__(self, connecting: socket.socket) -> None:
        self.socket = connecting
        self.connected = False
        self.position: int | None = None
        self.read = b""


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No collection of garbage, which would stop us for long, and as many files as we may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
