"""A worker's loop while groups are handed to it (docs/adr/0026): what is due, and how it ends."""

import itertools
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from broker.ended import FinishedCommand
from broker.taken import Batch
from ops.logins import login_url
from settings import Settings
from tests.service.support import keys
from tests.service.support.patience import SOON
from tests.service.support.queue_world import QueueWorld, take, wait_until_leases_end
from tests.service.support.world import World
from workers.worker import BatchWorker

#: Accounts that the ledger does not have: a command for one of them is answered with code 3.
FIRST = 10**12


class Watched(BatchWorker):
    """Calls `after_finish` when a batch has ended, and the worker may have left an offer."""

    after_finish: Callable[[], object]

    def _finish(self, batch: Batch, ends: list[FinishedCommand], *, take: bool) -> Batch | None:
        following = super()._finish(batch, ends, take=take)
        self.after_finish()
        return following


@pytest.fixture
def watched(
    queue_world: QueueWorld, ledger_world: World, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watched]:
    """A worker in this process."""
    for variable, key in keys.ENVIRONMENT.items():
        monkeypatch.setenv(variable, key)
    database = login_url(ledger_world.urls.database, "worker")
    settings = Settings(redis_url=queue_world.url, database_url=database)
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield Watched(["bets"], connection=Redis.from_url(queue_world.url), configured=settings)
    for each, handler in handlers.items():
        signal.signal(each, handler)


def test_a_worker_that_is_handed_group_after_group_sweeps_all_the_same(
    queue_world: QueueWorld, watched: Watched
) -> None:
    dead = queue_world.worker("dead", lease_seconds=0.05)
    [lost] = queue_world.admit_together(FIRST + 1)
    take(dead)
    wait_until_leases_end(queue_world)
    queue_world.admit_together(FIRST + 2)
    accounts, ends = itertools.count(FIRST + 10), time.monotonic() + SOON

    def admit_another() -> None:
        if queue_world.status(lost) == "finished" or time.monotonic() > ends:
            watched._shutdown()
        else:
            queue_world.admit_together(next(accounts))

    # Its first sweep is not due before it is busy.
    watched._due["sweep"] = time.monotonic() + 0.2
    watched.after_finish = admit_another
    watched.work()

    assert queue_world.status(lost) == "finished"


def test_a_worker_that_is_told_to_end_as_soon_as_it_is_known_ends_in_order(
    queue_world: QueueWorld, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = watched.register_birth

    def register_and_be_told() -> None:
        register()  # type: ignore[no-untyped-call]
        assert queue_world.redis.smembers("rq:workers:bets")
        told = signal.getsignal(signal.SIGTERM)
        assert callable(told), "the signal would kill the process"
        told(signal.SIGTERM, None)

    monkeypatch.setattr(watched, "register_birth", register_and_be_told)
    watched.work()

    assert not queue_world.redis.smembers("rq:workers:bets")


@pytest.mark.parametrize("accepted", [True, False])
def test_a_worker_that_ends_with_an_offer_takes_it_back_and_runs_what_was_handed_over(
    queue_world: QueueWorld, watched: Watched, accepted: bool
) -> None:
    queue_world.admit_together(FIRST + 1)
    handed: list[str] = []

    def be_told_to_stop() -> None:
        if handed or watched._stop_requested:
            return
        assert len(queue_world.offers()) == 1
        if accepted:
            handed.extend(queue_world.admit_together(FIRST + 2))
            assert queue_world.queued() == []
        watched._shutdown()

    watched.after_finish = be_told_to_stop
    watched.work()

    assert queue_world.offers() == []
    assert [queue_world.status(id_) for id_ in handed] == ["finished"] * accepted
    later = queue_world.admit_together(FIRST + 3)
    assert queue_world.queued() == later
