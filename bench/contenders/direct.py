"""The rival `direct`: no queue; each request is one transaction on a pool of psycopg connections.

The number of connections is `BENCH_POOL` (bench/contenders/rivals.py says how it was chosen).
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from api.wallet.errors import try_later
from api.wallet.questions import Questions
from bench.contenders.direct_ledger import CONNECTION, DirectLedger, Pool
from bench.contenders.front import RedisPyNonces, RivalDispatcher, RivalGateway, starlette_app
from bench.contenders.serving import serve_inherited
from broker.admission import Result
from models.commands import BetCommand
from models.deadline import Deadline
from models.errors import LedgerUnavailable
from settings import Settings, settings

_BALANCE = "select currency, balance from account where id = %s"


class DirectDispatcher(RivalDispatcher):
    """Applies each command at once, on a connection of the pool."""

    async def apply(self, command: BetCommand) -> Result:
        """Load, decide, write, commit. Raises LedgerError."""
        try:
            return (await self._ledger.apply(command)).to_json()
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise LedgerUnavailable(str(error)) from error

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[None]:
        """Its connections."""
        nonces = RedisPyNonces(self._settings.redis_url)
        self.nonces = nonces
        size = int(os.environ["BENCH_POOL"])
        self.pool: Pool = AsyncConnectionPool(
            self._settings.database_url,
            min_size=size,
            max_size=size,
            timeout=self._settings.answer_within_seconds,
            kwargs=CONNECTION,
            open=False,
        )
        async with self.pool:
            await self.pool.wait()
            self._ledger = DirectLedger(self.pool)
            yield
        await nonces.close()


class DirectQuestions(Questions):
    """Asks for a balance on a connection of the pool."""

    def __init__(self, dispatcher: DirectDispatcher) -> None:
        # Not our parent's: nothing is in flight, and nothing is grouped.
        self._dispatcher = dispatcher

    async def balance(self, account_id: int, deadline: Deadline) -> tuple[str, Decimal]:
        """Currency and balance of a player's account. Raises ApiError, 99."""
        try:
            async with self._dispatcher.pool.connection(deadline.seconds_left()) as connection:
                cursor = await connection.execute(_BALANCE, (account_id,))
                row = await cursor.fetchone()
        except (psycopg.OperationalError, PoolTimeout):
            row = None
        if row is None:
            raise try_later("The balance cannot be read at the moment.")
        return row[0], row[1]

    async def stop(self) -> None:
        """Nothing runs."""


def main(configured: Settings) -> None:
    """Serve until SIGTERM."""
    dispatcher = DirectDispatcher(configured)
    gateway = RivalGateway(configured, dispatcher)
    gateway.questions = DirectQuestions(dispatcher)
    serve_inherited(starlette_app(gateway, dispatcher.parts()))


if __name__ == "__main__":
    main(settings())
