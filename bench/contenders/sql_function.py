"""The rival `sql-function`: what a competent team with a good database engineer ships.

Starlette and uvicorn as they come, psycopg's pool, one command of Redis and one call of a function
of PostgreSQL per request (functions.sql). Its endpoints are the wallet's own, as every rival's.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import psycopg
import uvicorn
from psycopg import AsyncRawCursor
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.applications import Starlette

from api.wallet.app import create_app
from api.wallet.errors import try_later
from bench.contenders.front import RedisPyNonces, Rival, RivalServices, inherited_socket
from bench.contenders.functions import BALANCE, SERVER_SETTINGS, call_of, result_of
from broker.admission import Result
from models.commands import BetCommand
from models.deadline import Deadline
from models.errors import LedgerUnavailable
from settings import Settings, settings

_NO_LIMIT = 1_000_000


class SqlFunction(Rival):
    """Applies each command by one call of a function, on a connection of psycopg's pool."""

    async def apply(self, command: BetCommand) -> Result:
        """Load, decide and write in PostgreSQL. Raises LedgerUnavailable."""
        return result_of(command, await self._ask(*call_of(command)))

    async def balance(self, account_id: int, deadline: Deadline) -> tuple[str, Decimal]:  # noqa: ARG002
        """Currency and balance of a player's account. Raises ApiError, 99."""
        try:
            currency, balance = await self._ask(BALANCE, (account_id,))
        except LedgerUnavailable:
            raise try_later("The balance cannot be read at the moment.") from None
        return currency, balance

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[None]:
        """Its connections."""
        nonces = RedisPyNonces(self._settings.redis_url)
        self.nonces = nonces
        size = int(os.environ["BENCH_POOL"])
        options = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())
        self._pool = AsyncConnectionPool(
            self._settings.database_url,
            min_size=size,
            max_size=size,
            timeout=self._settings.answer_within_seconds,
            kwargs={
                "autocommit": True,  # a call is a transaction of its own
                "prepare_threshold": 0,
                "cursor_factory": AsyncRawCursor,  # parameters are $1, $2
                "options": options,
            },
            open=False,
        )
        async with self._pool:
            await self._pool.wait()
            yield
        await nonces.close()

    async def _ask(self, statement: str, parameters: Any) -> Any:
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(statement, parameters)
                row = await cursor.fetchone()
        except (psycopg.Error, PoolTimeout) as error:
            raise LedgerUnavailable(str(error)) from error
        if row is None:
            raise LedgerUnavailable
        return row


def plain_app(services: RivalServices) -> Starlette:
    """The wallet's routes and error handlers as Starlette runs them, without our shortcut."""
    ours = create_app(services)
    app = Starlette(
        routes=ours.routes,
        exception_handlers=ours.exception_handlers,
        lifespan=ours.router.lifespan_context,
    )
    app.state.services = services
    return app


def main(configured: Settings) -> None:
    """Serve until SIGTERM, by uvicorn with nothing of ours. Nor do we log accesses."""
    # Requests wait for a connection of the pool, and nowhere else.
    unlimited = configured.model_copy(update={"admissions_per_script_max": _NO_LIMIT})
    app = plain_app(RivalServices(unlimited, SqlFunction(unlimited)))
    config = uvicorn.Config(app, access_log=False, log_level="warning")
    with inherited_socket() as listener:
        uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main(settings())
