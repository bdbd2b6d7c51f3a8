"""Redis has no memory left: what was admitted still ends, and no lease is lost for it."""

from collections.abc import Iterator

import pytest
from redis.exceptions import OutOfMemoryError

from tests.service.support.queue_world import (
    QueueWorld,
    finish,
    ids,
    take,
    wait_until_leases_end,
)

BRIEF = 0.05  # seconds of a lease that a test waits for


@pytest.fixture
def full(queue_world: QueueWorld) -> Iterator[None]:
    """Redis has room again at the end."""
    yield
    queue_world.redis.config_set("maxmemory", 0)


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("renewed", [False, True])
def test_a_full_redis_lets_a_batch_end_whether_it_was_renewed_or_not(
    queue_world: QueueWorld, renewed: bool
) -> None:
    worker = queue_world.worker()
    first, second = queue_world.admit_one_by_one(7, 2)
    batch = take(worker)
    queue_world.redis.config_set("maxmemory", 1)

    assert not renewed or worker.renew(batch)
    assert finish(worker, batch)
    batch = take(worker)
    assert ids(batch) == [second]
    assert finish(worker, batch)

    assert [queue_world.status(id_) for id_ in (first, second)] == ["finished"] * 2
    assert queue_world.under_way() == set()


@pytest.mark.usefixtures("full")
def test_in_a_full_redis_what_was_lost_goes_on(queue_world: QueueWorld) -> None:
    lost, worker = queue_world.worker("lost", lease_seconds=BRIEF), queue_world.worker()
    held, _ = queue_world.admit_one_by_one(7, 2)
    take(lost)
    deleted, waiting = queue_world.admit_one_by_one(8, 2)
    queue_world.redis.delete(f"rq:job:{deleted}", "rq:queue:bets")
    wait_until_leases_end(queue_world)
    queue_world.redis.config_set("maxmemory", 1)

    worker.sweep()

    assert queue_world.queued_commands() == [held, waiting]


@pytest.mark.usefixtures("full")
def test_what_a_full_redis_could_not_count_is_counted_later(queue_world: QueueWorld) -> None:
    worker, redis = queue_world.worker(), queue_world.redis
    queue_world.admit_together(7)
    redis.config_set("maxmemory", 1)
    assert finish(worker, take(worker))
    with pytest.raises(OutOfMemoryError):
        worker.report()
    redis.config_set("maxmemory", 0)

    for _ in range(2):
        worker.report()

    assert redis.hget("rq:worker:worker", "successful_job_count") == b"1"
