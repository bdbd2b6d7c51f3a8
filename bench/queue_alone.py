"""What one Redis carries: the queue without HTTP and without a ledger.

A gateway's part of the queue admits so many bets in one script, waits for their answers, and admits
the next ones. A worker takes them and finishes them, and applies nothing. So the figures are those
of admission, taking and finishing, with whatever else the two ask of Redis meanwhile.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from api.wallet.auth import Signed
from api.wallet.calls import Call
from api.wallet.errors import ApiError
from api.wallet.queued_commands import QueuedCommands
from bench.contenders.processes import started
from bench.load import LoadFailed
from bench.measure import Meter
from bench.people import ACCOUNTS
from bench.results import Carried
from bench.servers import empty_redis
from broker.link import Link
from embedded import Urls
from models.codes import Code
from models.commands import Command, PayInOut
from models.deadline import Deadline
from models.ledger.ledger import Ledger, LedgerConnection
from models.outcome import Outcome
from settings import Settings
from workers.worker import BatchWorker

PER_SCRIPT = (32, 8, 4, 1)
_WARM_UP_SECONDS = 0.5
_READY_WITHIN_SECONDS = 10.0
_DONE = Outcome(Code.DONE, Decimal("144.75"), (1391, 1392))


class NoLedger(Ledger):
    """Answers every PayInOut well, and records nothing."""

    def apply(
        self,
        commands: Sequence[Command],
        in_time: Callable[[int], bool],  # noqa: ARG002
        seconds_max: float,  # noqa: ARG002
    ) -> list[Outcome | None]:
        """One outcome per command."""
        return [_DONE] * len(commands)


class QueueOnlyWorker(BatchWorker):
    """Our worker, but it applies nothing. RQ's command line starts it by its name."""

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Prepare as our worker does, and put the ledger aside."""
        super().bootstrap(*args, **kwargs)
        self._ledger = NoLedger(self._ledger_connection)


def measure_queue(
    urls: Urls, seconds: float, repeats: int, per_script: Sequence[int] = PER_SCRIPT
) -> Iterator[Carried]:
    """Each number of bets per script, so many times in turn. Raises LoadFailed, DidNotStart."""
    for _, bets in itertools.product(range(repeats), per_script):
        yield asyncio.run(_measure(urls, bets, seconds))


async def _measure(urls: Urls, per_script: int, seconds: float) -> Carried:
    settings = Settings(database_url=urls.database, redis_url=urls.redis)
    connection = LedgerConnection(urls.database, wait_seconds=5, connect_seconds=5)
    link = Link(settings)
    queue = QueuedCommands(settings, link, Ledger(connection), lambda *_: False)
    empty_redis(urls, "everysec")
    with started(urls) as processes:
        worker = f"{QueueOnlyWorker.__module__}.{QueueOnlyWorker.__name__}"
        options = ("--url", urls.redis, "--worker-class", worker, "--quiet")
        processes.workers(1, "rq.cli", "worker", settings.queue_name, *options)
        await link.start()
        try:
            async with asyncio.timeout(_READY_WITHIN_SECONDS):
                while not link.ready:  # noqa: ASYNC110 - a fact about others
                    await asyncio.sleep(0.01)
            await _waves(queue, per_script, _WARM_UP_SECONDS)
            meter = Meter(urls, processes.running(""))
            before = meter.read()
            bets = await _waves(queue, per_script, seconds)
            return Carried(per_script, meter.cost(before, meter.read(), bets))
        except ApiError as error:
            raise LoadFailed(f"The queue refused a bet: {error.message}") from error
        finally:
            await queue.stop()
            await link.stop()
            connection.close()


async def _waves(queue: QueuedCommands, per_script: int, seconds: float) -> int:
    """Run bets, so many at once; how many in all. Raises ApiError."""
    until, accounts, bets = time.monotonic() + seconds, itertools.cycle(range(1, ACCOUNTS)), 0
    while time.monotonic() < until:
        deadline = Deadline.within(5)
        runs = (queue.run(_signed(), _bet(next(accounts)), deadline) for _ in range(per_script))
        bets += len(await asyncio.gather(*runs))
    return bets


def _signed() -> Signed:
    """A call that was authenticated."""
    stamp, signature = b"%d" % (time.time() * 1000), os.urandom(32).hex().encode()
    return Signed(1, Call(b"bench", stamp, uuid4().hex.encode(), signature, b""))


def _bet(account_id: int) -> PayInOut:
    return PayInOut(
        provider_id=1,
        session_id=uuid4().hex,
        account_id=account_id,
        bet_id=uuid4().hex,
        round_id=str(uuid4()),
        stake=Decimal("10.5"),
        win=Decimal("55.25"),
        odd=Decimal("11.05"),
    )
