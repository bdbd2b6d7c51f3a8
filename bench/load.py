"""The load: sends signed requests on kept-alive connections, and times each answer.

In a closed loop a connection sends its next request once it has the answer. In an open loop each
request is due at a fixed time, whatever is answered, and leaves then or once a connection is free.
"""

import gc
import math
import re
import resource
import select
import selectors
import socket
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from models.errors import BetcoreError

GOOD, TRY_LATER = 1, 99  # `_responseCode`s
#: Kinds of answers that have no code: none came, or none of ours.
UNANSWERED, UNREADABLE = -1, -2
NAMES: Final = {UNANSWERED: "unanswered", UNREADABLE: "no code"}

_ANSWERED_WITHIN_SECONDS: Final = 10.0  # after the last was sent
_LENGTH = re.compile(rb"content-length: ([0-9]+)\r\n", re.IGNORECASE)
_CODE = re.compile(rb'"_responseCode": ?([0-9]+)')
_READ_BYTES = 16 * 1024


class LoadFailed(BetcoreError):  # noqa: N818 - named for what it is about
    """A load that says nothing: no request got a good answer, or its rate is not known."""


class Latency(NamedTuple):
    """Percentiles in milliseconds."""

    p50: float
    p90: float
    p99: float
    max: float


def latency_of(seconds: Iterable[float]) -> Latency:
    """Percentiles of some times; NaN of none.

    The percentile p is the least time that at least p in a hundred do not exceed.
    """
    found = sorted(seconds) or [math.nan]
    last = len(found) - 1
    at = (max(0, min(last, math.ceil(share * len(found)) - 1)) for share in (0.5, 0.9, 0.99, 1))
    return Latency(*(found[position] * 1000 for position in at))


def evenly(per_second: float, seconds: float, begin: float = 0.0) -> list[float]:
    """When each request of an open loop is due: so many per second from `begin` on."""
    return [begin + number / per_second for number in range(round(per_second * seconds))]


@dataclass
class Sent:
    """What became of each request, by its place in the order in which they were sent."""

    due: "array[float]"  # seconds from the beginning; in a closed loop when it was sent
    left: "array[float]"  # seconds from due until it was sent; -1: it never was
    took: "array[float]"  # seconds from due until it was answered, or until the end of all
    kinds: "array[int]"  # `_responseCode`, or one of the kinds above
    connections: int = 0  # opened in all
    cpu_seconds: float = 0.0  # of the generator itself

    @classmethod
    def none_of(cls, count: int, due: Sequence[float] = ()) -> "Sent":
        """So many requests that were not sent yet."""
        times = array("d", due or [0.0]) * (1 if due else count)
        none = array("d", [-1.0]) * count
        return cls(times, none, array("d", none), array("i", [UNANSWERED]) * count)

    @property
    def good(self) -> int:
        """How many were answered well."""
        return self.kinds.count(GOOD)

    def summary(self) -> "Load":
        """All of it in a few figures. Raises LoadFailed."""
        bad = Counter(NAMES.get(kind, str(kind)) for kind in self.kinds if kind != GOOD)
        if not self.good:
            raise LoadFailed(f"No request got a good answer: {dict(bad)}")
        end = max(map(sum, zip(self.due, self.took, strict=True)))
        # A refusal is quick, and no answer to be had: it counts as if it had never come.
        took = [
            took if kind == GOOD else end - due
            for due, took, kind in zip(self.due, self.took, self.kinds, strict=True)
        ]
        late = latency_of(left for left in self.left if left >= 0)
        seconds = end - self.due[0]
        return Load(self.good, bad, seconds, latency_of(took), late.p99, self.cpu_seconds)


@dataclass(frozen=True)
class Load:
    """What a load found."""

    good: int  # answered 200, code 1, with a balance
    bad: Mapping[str, int]  # code, or what came instead -> other answers
    seconds: float  # from the first request to the last answer
    latency: Latency  # from when a request was due
    late_ms: float  # p99 of by how much it was sent too late
    cpu_seconds: float  # of the generator itself

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        """Answers that were bad or never came."""
        return sum(self.bad.values())


class Generator:
    """Sends requests to one address; use once."""

    def __init__(
        self,
        url: str,
        requests: Sequence[bytes],
        connections: int,
        *,
        due: Sequence[float] = (),
        seconds: float = math.inf,
    ) -> None:
        """Open at most `connections`.

        Open loop: `due` has seconds from the beginning, ascending, one for each request. Closed
        loop: no `due`; no request is sent after `seconds`.
        """
        address = urlsplit(url)
        self._address = (address.hostname or "", address.port or 80)
        self._requests = requests
        self._connections = connections
        self._is_open = bool(due)
        self._seconds = seconds
        self._sent = Sent.none_of(len(requests), due)
        self._selector = selectors.DefaultSelector()
        self._free: list[_Connection] = []
        self._waiting = 0
        self._begin = 0.0  # monotonic

    def run(self, begin: float = 0.0) -> Sent:
        """Send the requests from `begin` (monotonic) or now on; wait until they are answered."""
        sent, used = self._sent, time.process_time()
        self._begin = max(begin, time.monotonic())
        with _undisturbed(), self._selector:
            position = self._loop()
            for key in list(self._selector.get_map().values()):
                key.data.socket.close()
        sent.cpu_seconds = time.process_time() - used
        self._close_books(position)
        return sent

    def _loop(self) -> int:
        """Send and receive until all is answered; how many requests had their turn."""
        position, count = 0, len(self._requests)
        while True:
            now = self._now()
            if now >= self._seconds:
                count = position
            while (
                position < count
                and now < self._seconds
                and self._is_due(position, now)
                and self._send(position, now)
            ):
                position += 1
                now = self._now()
            if position < count and not self._is_due(position, now):
                self._wait_precisely(self._sent.due[position] - now)
                patience = 0.0
            elif position < count and not self._is_open:
                patience = max(0.0, min(self._seconds - now, _ANSWERED_WITHIN_SECONDS))
            elif self._waiting:
                patience = _ANSWERED_WITHIN_SECONDS
            else:
                return position
            events = self._selector.select(patience)
            for key, _ in events:
                self._receive(key.data)
            if not events and patience >= _ANSWERED_WITHIN_SECONDS:
                return position

    def _now(self) -> float:
        return time.monotonic() - self._begin

    def _is_due(self, position: int, now: float) -> bool:
        return not self._is_open or self._sent.due[position] <= now

    def _wait_precisely(self, seconds: float) -> None:
        """Wait for an answer or for so long: epoll itself would count in whole milliseconds."""
        select.select([self._selector.fileno()], [], [], seconds)

    def _send(self, position: int, now: float) -> bool:
        """Send one request; False when there is no connection for it."""
        connection = self._free.pop() if self._free else self._open()
        if connection is None:
            return False
        if not self._is_open:
            self._sent.due[position] = now
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
        if len(self._selector.get_map()) >= self._connections:
            return None
        connection = _Connection(socket.socket())
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.socket.setblocking(False)
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
        self._sent.took[position] = self._now() - self._sent.due[position]
        self._sent.kinds[position] = _kind(head, body)
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

    def _close_books(self, position: int) -> None:
        """What was not answered took until now. In a closed loop, what was not sent is nothing."""
        sent, now = self._sent, self._now()
        if not self._is_open:
            for values in (sent.due, sent.left, sent.took, sent.kinds):
                del values[position:]
        for number, kind in enumerate(sent.kinds):
            if kind == UNANSWERED:
                sent.took[number] = now - sent.due[number]


class _Connection:
    """One connection, and the request that waits for its answer."""

    __slots__ = ("connected", "position", "read", "socket")

    def __init__(self, connecting: socket.socket) -> None:
        self.socket = connecting
        self.connected = False
        self.position: int | None = None
        self.read = b""


def _kind(head: bytes, body: bytes) -> int:
    """The code of an answer. One of code 1 must have status 200 and a balance."""
    code = _CODE.search(body)
    kind = int(code[1]) if code else UNREADABLE
    if kind == GOOD and not (head.startswith(b"HTTP/1.1 200 ") and b'"balance":' in body):
        return UNREADABLE
    return kind


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
