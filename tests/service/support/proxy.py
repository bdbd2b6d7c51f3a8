"""A proxy in front of a server's socket. It can be slow, deaf or gone; the server is not."""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from embedded import Urls

_CHUNK_BYTES = 1 << 16
_POSTGRES_SOCKET = ".s.PGSQL.5432"


class Fate(Enum):
    """What becomes of a message."""

    PASS = auto()
    SWALLOW = auto()  # it goes nowhere, nor does anything later on its connection, which stays open
    DROP = auto()  # it goes nowhere; all connections end, and no new one is made
    CUT = auto()  # it is handed on; then the same


Judge = Callable[[bytes, bool], Fate]


def let_pass(message: bytes, from_client: bool) -> Fate:  # noqa: ARG001 - a Judge
    """What a proxy does when nobody says otherwise."""
    return Fate.PASS


Rewriter = Callable[[bytes, bool], bytes]


def as_it_is(message: bytes, from_client: bool) -> bytes:  # noqa: ARG001 - a Rewriter
    """What a proxy makes of a message when nobody says otherwise."""
    return message


class Proxy:
    """Hands on what clients and server send, in order; its public fields may be set at any time."""

    def __init__(self, server: Path | int) -> None:
        """Listens, inside its `with` block, on a socket named as the server's in a new folder.

        A number is a port of 127.0.0.1, 0 one where nobody is yet.
        """
        self.judge: Judge = let_pass  # of each message; called in the proxy's thread
        self.rewrite: Rewriter = as_it_is  # of each message that is handed on
        self.refuses = False  # new connections end at once
        self.server = server
        self._delay_seconds = 0.0
        self._folder = tempfile.TemporaryDirectory(prefix="betcore-")
        name = "http" if isinstance(server, int) else server.name
        self.socket = Path(self._folder.name) / name
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._open: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def change_delay(self, seconds: float) -> None:
        """Hold up each message for so long, each way; connections that are open are ended."""
        self._delay_seconds = seconds
        self.cut()

    def cut(self) -> None:
        """End all connections; new ones are made as before."""
        self._run(self._cut())

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening = self._run(asyncio.start_unix_server(self._serve, self.socket))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _stop(self) -> None:
        self._listening.close()
        self.refuses = True
        # All tasks, not only ours: a connection may be half accepted.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await self._cut()
            await asyncio.wait(others, timeout=0.1)

    async def _cut(self) -> None:
        for connection in self._open:
            connection.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            if self.refuses:
                raise ConnectionRefusedError
            server_reader, server = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, server)
        self._open.add(connection)
        try:
            await asyncio.gather(
                self._pump(connection, reader, server, from_client=True),
                self._pump(connection, server_reader, writer, from_client=False),
            )
        finally:
            self._open.discard(connection)
            connection.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.server, int):
            return await asyncio.open_connection("127.0.0.1", self.server)
        return await asyncio.open_unix_connection(self.server)

    async def _pump(
        self,
        connection: "_Connection",
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        *,
        from_client: bool,
    ) -> None:
        """Hand on until one side ends; then the other is ended too."""
        try:
            while message := await source.read(_CHUNK_BYTES):
                fate = self.judge(message, from_client)
                connection.swallowed |= fate is Fate.SWALLOW
                if not connection.swallowed and fate is not Fate.DROP:
                    self._soon(target.write, self.rewrite(message, from_client))
                if fate in (Fate.DROP, Fate.CUT):
                    self.refuses = True
                    await target.drain()
                    await self._cut()
        except ConnectionError:
            pass
        self._soon(connection.abort)

    def _soon(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._delay_seconds:
            self._loop.call_later(self._delay_seconds, call, *arguments)
        else:
            call(*arguments)


class _Connection:
    """A client's connection and the one made for it to the server."""

    def __init__(self, *sides: asyncio.StreamWriter) -> None:
        self.swallowed = False
        self._sides = sides

    def abort(self) -> None:
        """End both sides at once."""
        for side in self._sides:
            side.transport.abort()


def redis_proxy(urls: Urls) -> Proxy:
    """A proxy before the Redis of `urls`."""
    path = urls.redis.removeprefix("unix://").partition("?")[0]
    return Proxy(Path(path))


def postgres_proxy(urls: Urls) -> Proxy:
    """A proxy before the PostgreSQL of `urls`."""
    return Proxy(_postgres_folder(urls) / _POSTGRES_SOCKET)


def through(urls: Urls, *, redis: Proxy | None = None, postgres: Proxy | None = None) -> Urls:
    """The same servers, reached through these proxies."""
    database, redis_url = urls.database, urls.redis
    if postgres is not None:
        database = database.replace(str(_postgres_folder(urls)), str(postgres.socket.parent))
    if redis is not None:
        redis_url = f"unix://{redis.socket}?db=0"
    return Urls(database, redis_url)


def _postgres_folder(urls: Urls) -> Path:
    return Path(urls.database.partition("host=")[2].partition("&")[0])
