"""The gateway of the rival `stock-rq`: `enqueue`, then wait for `latest_result`, as RQ documents.

Both block, so they run in threads, as Starlette does with what blocks. Not as shipped are only
limits that this load would meet: 40 threads, 100 connections of redis-py.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from anyio import CapacityLimiter, to_thread
from redis import Redis
from rq import Queue
from rq.results import Result as JobResult

from api.wallet.app import create_app
from api.wallet.questions import Questions
from api.wallet.services import gateway_reads_of
from bench.contenders import stock_jobs
from bench.contenders.front import (
    REDIS_CONNECTIONS_MAX,
    RedisPyNonces,
    Rival,
    RivalServices,
    serve_inherited,
)
from broker.admission import Result
from broker.link import Link
from models.commands import BetCommand
from models.deadline import Deadline
from models.errors import LedgerError
from settings import Settings, settings

QUEUE = "bench-stock"
_THREADS_MAX = 256


class StockRq(Rival):
    """Runs each command as a job of stock RQ."""

    async def apply(self, command: BetCommand) -> Result:
        """Enqueue it and wait for its result. Raises LedgerError when there is none in time."""
        return await to_thread.run_sync(self._run_job, command, limiter=self._threads)

    async def balance(self, account_id: int, deadline: Deadline) -> tuple[str, Decimal]:
        """Currency and balance of a player's account. Raises ApiError, 99."""
        return await self._questions.balance(account_id, deadline)

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[None]:
        """Its connections and threads."""
        url = self._settings.redis_url
        nonces = RedisPyNonces(url)
        self.nonces = nonces
        # As ours. The link would be for the state of a bet, which nobody asks.
        reads = gateway_reads_of(self._settings)
        self._questions = Questions(self._settings, Link(self._settings), reads, reads)
        self._threads = CapacityLimiter(_THREADS_MAX)
        with Redis.from_url(url, max_connections=REDIS_CONNECTIONS_MAX) as redis:
            self._queue = Queue(QUEUE, connection=redis)
            yield
        await self._questions.stop()
        await nonces.close()

    def _run_job(self, command: BetCommand) -> Result:
        job = self._queue.enqueue(stock_jobs.apply, command)
        result = job.latest_result(timeout=int(self._settings.answer_within_seconds))
        if result is None or result.type is not JobResult.Type.SUCCESSFUL:
            raise LedgerError("The job has no result.")
        return dict(result.return_value or {})


def main(configured: Settings) -> None:
    """Serve until SIGTERM."""
    services = RivalServices(configured, StockRq(configured))
    serve_inherited(create_app(services), configured)


if __name__ == "__main__":
    main(settings())
