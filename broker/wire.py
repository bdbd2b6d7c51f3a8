"""One asyncio connection to Redis that pipelines commands: it sends at once, and answers in order.

redis-py's asyncio client takes a connection out of a pool for each command and waits for its
answer. That costs the gateway a fifth of its throughput (docs/adr/0005). redis-py still reads URLs,
and hiredis still parses answers.
"""

import asyncio
import socket
from collections import deque
from math import inf
from typing import Any, cast

import hiredis
from redis import exceptions as redis_errors

from broker.bounded import ANSWER_BYTES_MAX
from broker.redis_url import Options, read_redis_url, tls_context
from settings import Settings

Answer = Any  # what Redis answers: bytes, int, None, or a list of these


class Wire(asyncio.Protocol):
    """A connection, made by `connect`. When it is lost, every answer still awaited fails."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(replyError=redis_errors.ResponseError)
        self._awaited: deque[asyncio.Future[Answer]] = deque()
        self._unread = 0  # bytes since the last whole answer
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    def call(self, *command: str | bytes | int) -> asyncio.Future[Answer]:
        """Send a command now. The future holds its answer, or raises RedisError."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        if self._transport is None or not self.usable:
            answer.set_exception(redis_errors.ConnectionError("the connection to Redis is lost"))
            return answer
        self._awaited.append(answer)
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]
        return answer

    @property
    def usable(self) -> bool:
        """Whether the connection can still send a command."""
        return self._transport is not None and not self._transport.is_closing()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio: resolve the answers that are complete."""
        self._reader.feed(data)
        self._unread += len(data)
        if self._unread > ANSWER_BYTES_MAX:
            self.abort()
        while (answer := self._reader.gets()) is not False:
            self._unread = 0
            waiting = self._awaited.popleft()
            if waiting.done():
                continue
            if isinstance(answer, redis_errors.RedisError):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio: nothing more will be answered."""
        if not self.lost.done():
            self.lost.set_result(None)
        while self._awaited:
            waiting = self._awaited.popleft()
            if not waiting.done():
                lost = redis_errors.ConnectionError(f"the connection to Redis was lost: {error}")
                waiting.set_exception(lost)


def patience_seconds(settings: Settings) -> float:
    """Seconds without an answer until the connection is dropped: the shorter of two limits.

    Raises BadRedisUrl.
    """
    options = read_redis_url(settings.redis_url) if settings.redis_url else {}
    of_url: float = options.get("socket_timeout", inf)
    return min(settings.redis_patience_seconds, of_url)


async def connect(redis_url: str, within_seconds: float) -> Wire:
    """Connect, log in and select the database that the URL names.

    Raises redis.exceptions.RedisError, OSError, TimeoutError or BadRedisUrl.
    """
    options = read_redis_url(redis_url)
    async with asyncio.timeout(min(within_seconds, options.get("socket_connect_timeout", inf))):
        wire = await _open(options)
        try:
            await _log_in(wire, options)
        except BaseException:
            wire.abort()
            raise
    return wire


async def _open(options: Options) -> Wire:
    loop = asyncio.get_running_loop()
    if "path" in options:
        _, wire = await loop.create_unix_connection(Wire, options["path"])
        return wire
    host, port = options.get("host", "localhost"), options.get("port", 6379)
    transport, wire = await loop.create_connection(Wire, host, port, ssl=tls_context(options))
    if options.get("socket_keepalive"):
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return wire


async def _log_in(wire: Wire, options: Options) -> None:
    password, user = options.get("password"), options.get("username")
    if password:
        try:
            await wire.call("AUTH", *([user, password] if user else [password]))
        except redis_errors.ResponseError as error:
            raise redis_errors.AuthenticationError(str(error)) from error
    if options.get("db"):
        await wire.call("SELECT", options["db"])
