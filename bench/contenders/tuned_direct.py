"""The rival `tuned-direct`: the strongest way without a queue that we could build.

A bare ASGI app without routing or middleware, our own connection to Redis for the nonces, asyncpg,
and one function of PostgreSQL that does a whole request (functions.sql).
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.wallet.answers import render_error, render_http_exception
from api.wallet.app import BETS
from api.wallet.endpoints import BalanceEndpoint, BetEndpoint
from api.wallet.errors import ApiError, try_later
from bench.contenders.front import Rival, RivalServices, serve_inherited
from bench.contenders.functions import ALL, BALANCE, SERVER_SETTINGS, call_of, result_of
from broker.admission import Result
from broker.wire import Wire, connect
from models.commands import BetCommand
from models.deadline import Deadline
from models.errors import LedgerUnavailable
from settings import Settings, settings

_SESSIONS = "/v1/sessions/"
_Prepared = dict[str, Any]  # of one connection, by statement


class WireNonces:
    """By one connection on which all requests are pipelined (broker/wire.py)."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def claim(self, key: str, value: bytes, expires_ms: int) -> bytes | None:
        """One `SET NX GET`."""
        old: bytes | None = await self._wire.call(
            "SET", key, value, "NX", "GET", "PXAT", expires_ms
        )
        return old


class TunedDirect(Rival):
    """Applies each command by one call of a function, on one of a fixed number of connections.

    Each has its statements prepared; they are used in turn. Not asyncpg's pool: that sends a reset
    after every use, and costs as much again as the call.
    """

    async def apply(self, command: BetCommand) -> Result:
        """Load, decide and write in PostgreSQL. Raises LedgerUnavailable."""
        statement, parameters = call_of(command)
        return result_of(command, await self._ask(statement, *parameters))

    async def balance(self, account_id: int, deadline: Deadline) -> tuple[str, Decimal]:  # noqa: ARG002
        """Currency and balance of a player's account. Raises ApiError, 99."""
        try:
            currency, balance = await self._ask(BALANCE, account_id)
        except LedgerUnavailable:
            raise try_later("The balance cannot be read at the moment.") from None
        return currency, balance

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[None]:
        """Its connections."""
        settings = self._settings
        wire = await connect(settings.redis_url, settings.redis_connect_within_seconds)
        self.nonces = WireNonces(wire)
        self._idle: list[_Prepared] = []
        self._waiting: deque[asyncio.Future[_Prepared]] = deque()
        made = []
        for _ in range(int(os.environ["BENCH_POOL"])):
            one = await asyncpg.connect(settings.database_url, server_settings=SERVER_SETTINGS)
            made.append(one)
            self._idle.append({sql: await one.prepare(sql) for sql in ALL})
        yield
        for connection in made:
            await connection.close()
        wire.abort()

    async def _ask(self, statement: str, *arguments: Any) -> Any:
        prepared = self._idle.pop() if self._idle else await self._wait()
        try:
            row = await prepared[statement].fetchrow(*arguments)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise LedgerUnavailable(str(error)) from error
        finally:
            self._give_back(prepared)
        if row is None:
            raise LedgerUnavailable
        return row

    async def _wait(self) -> _Prepared:
        """The next connection that somebody gives back; who came first is served first."""
        waiting: asyncio.Future[_Prepared] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._give_back(waiting.result())
            raise

    def _give_back(self, prepared: _Prepared) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(prepared)
                return
        self._idle.append(prepared)


class BareApp:
    """The endpoints by the end of their path; errors are rendered as Starlette would have them."""

    def __init__(self, services: RivalServices) -> None:
        """Start the services with the lifespan, and stop them."""
        self._services = services
        self._endpoints: dict[tuple[str, str], ASGIApp] = {
            ("POST", f"bets/{name}"): BetEndpoint(services, call) for name, call in BETS.items()
        } | {("GET", "balance"): BalanceEndpoint(services)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live from start to stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path: str = scope["path"]
        session_id, _, call = path.removeprefix(_SESSIONS).partition("/")
        endpoint = self._endpoints.get((scope["method"], call))
        try:
            if endpoint is None or not path.startswith(_SESSIONS):
                await _answer(render_http_exception, HTTPException(404), scope, receive, send)
                return
            scope["path_params"] = {"session_id": session_id}
            await endpoint(scope, receive, send)
        except ApiError as error:
            await _answer(render_error, error, scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._services.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._services.stop()
        await send({"type": "lifespan.shutdown.complete"})


def main(configured: Settings) -> None:
    """Serve until SIGTERM."""
    services = RivalServices(configured, TunedDirect(configured))
    serve_inherited(BareApp(services), configured)


async def _answer(
    render: Callable[[Request, Exception], Awaitable[ASGIApp]],
    error: Exception,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    response = await render(Request(scope), error)
    await response(scope, receive, send)


if __name__ == "__main__":
    main(settings())
