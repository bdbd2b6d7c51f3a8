"""A worker besides its jobs: its traces in Redis, its waits, its locks."""

import time
from typing import cast

from redis import Redis

from broker.taken import Batch
from models.deadline import Deadline
from tests.service.support.faults import frozen
from tests.service.support.processes import Process, until
from tests.service.support.queue_world import QueueWorld, Request, finish
from tests.service.support.world import World
from workers.lease import LeaseKeeper
from workers.presence import PresentWorker


def test_a_worker_that_redis_forgot_is_not_made_again_for_ever(queue_world: QueueWorld) -> None:
    worker, redis = queue_world.worker(), queue_world.redis
    present = PresentWorker(["bets"], name="worker", connection=Redis.from_url(queue_world.url))

    queue_world.admit_together(1)
    batch = worker.take(time.time(), shows=True)
    assert batch is not None
    assert 0 < redis.ttl("rq:worker:worker") <= 30
    redis.delete("rq:worker:worker")
    assert finish(worker, batch)
    worker.report()
    assert 0 < redis.ttl("rq:worker:worker") <= 30
    redis.delete("rq:worker:worker")
    present.set_state("idle")
    assert 0 < redis.ttl("rq:worker:worker") <= 30
    present.connection.close()


def test_a_worker_waits_for_redis_no_longer_than_its_lease(queue_world: QueueWorld) -> None:
    connection = Redis.from_url(queue_world.url, socket_timeout=60)
    present = PresentWorker(["bets"], name="worker", connection=connection)

    connection.ping()

    [used] = connection.connection_pool._available_connections
    assert used.socket_timeout == queue_world.settings.lease_seconds
    present.connection.close()


def test_a_lease_is_not_renewed_once_its_last_job_is_too_late() -> None:
    renewed: list[Batch] = []

    def renew(batch: Batch) -> bool:
        renewed.append(batch)
        return True

    keeper = LeaseKeeper(renew, every_seconds=0.005, lease_seconds=1)
    keeper.start()
    try:
        ends = time.monotonic() + 0.3
        late = Batch("late", 0.0)
        keeper.hold(late, Deadline(ends))
        until(lambda: len(renewed) > 3)
        until(lambda: time.monotonic() > ends + 0.2)
        before = len(renewed)
        until(lambda: time.monotonic() > ends + 0.5)
        assert len(renewed) == before
    finally:
        keeper.end()


def test_a_burst_ends_when_the_queue_is_empty_though_hundreds_expired(world: World) -> None:
    with (
        QueueWorld(world.urls.redis, flush=False) as queue,
        frozen(*(worker.pid for worker in world.workers)),
    ):
        for first in range(1, 1_400, 100):
            requests = [Request(10**9 + first + i, budget_ms=0) for i in range(100)]
            assert queue.admit(*requests) == "A" * 100
        command = ("worker", "bets", "--burst", "--worker-class", "workers.worker.BatchWorker")
        with Process(world.urls, "rq.cli", *command, "-u", world.urls.redis) as burst:
            assert burst.wait() == 0
            assert cast("int", world.redis.llen("rq:queue:bets")) == 0
