"""The rival `tuned-direct`: the strongest way without a queue that we could build.

A bare ASGI app without routing or middleware, our own connection to Redis for the nonces, asyncpg,
and one function of PostgreSQL that does a whole request (tuned_direct.sql).
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.wallet.answers import render_error, render_http_exception
from api.wallet.app import BETS
from api.wallet.endpoints import BalanceCall, BetCall
from api.wallet.errors import ApiError, try_later
from api.wallet.questions import Questions
from bench.contenders.front import RivalDispatcher, RivalGateway, running
from bench.contenders.serving import serve_inherited
from bench.contenders.tuned_ledger import TunedLedger
from broker.admission import Result
from broker.wire import Wire, connect
from models.commands import BetCommand
from models.deadline import Deadline
from models.errors import LedgerUnavailable
from settings import Settings, settings

_SESSIONS = "/v1/sessions/"


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


class TunedDispatcher(RivalDispatcher):
    """Applies each command by one call of a function."""

    async def apply(self, command: BetCommand) -> Result:
        """Load, decide and write in PostgreSQL. Raises LedgerUnavailable."""
        return await self.ledger.apply(command)

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[None]:
        """Its connections."""
        url, within = self._settings.redis_url, self._settings.redis_connect_within_seconds
        wire = await connect(url, within)
        self.nonces = WireNonces(wire)
        size = int(os.environ["BENCH_POOL"])
        self.ledger = await TunedLedger.open(self._settings.database_url, size)
        yield
        await self.ledger.close()
        wire.abort()


class TunedQuestions(Questions):
    """Asks for a balance on one of the connections."""

    def __init__(self, dispatcher: TunedDispatcher) -> None:
        # Not our parent's: nothing is in flight, and nothing is grouped.
        self._dispatcher = dispatcher

    async def balance(self, account_id: int, deadline: Deadline) -> tuple[str, Decimal]:  # noqa: ARG002
        """Currency and balance of a player's account. Raises ApiError, 99."""
        try:
            return await self._dispatcher.ledger.balance(account_id)
        except LedgerUnavailable:
            raise try_later("The balance cannot be read at the moment.") from None

    async def stop(self) -> None:
        """Nothing runs."""


class BareApp:
    """The endpoints by the end of their path; errors are rendered as Starlette would have them."""

    def __init__(
        self, gateway: RivalGateway, lifespan: Callable[[], AbstractAsyncContextManager[None]]
    ) -> None:
        self._lifespan = lifespan
        self._endpoints: dict[tuple[str, str], ASGIApp] = {
            ("POST", f"bets/{name}"): BetCall(gateway, call) for name, call in BETS.items()
        } | {("GET", "balance"): BalanceCall(gateway)}

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
        async with self._lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def main(configured: Settings) -> None:
    """Serve until SIGTERM."""
    dispatcher = TunedDispatcher(configured)
    gateway = RivalGateway(configured, dispatcher)
    gateway.questions = TunedQuestions(dispatcher)
    serve_inherited(BareApp(gateway, lambda: running(gateway, dispatcher.parts())))


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
