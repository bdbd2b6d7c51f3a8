"""Jobs with much data on our queue: no batch is so long that a worker cannot read it."""

import secrets
from collections.abc import Iterator

import pytest
from redis import Redis

from broker.batches import Batches
from broker.bounded import ANSWER_BYTES_MAX, BoundedParser
from tests.service.support.queue_world import QueueWorld, finish, ids, take

MEGABYTE = 1_000_000
FOREIGN = 2 * ANSWER_BYTES_MAX // MEGABYTE


@pytest.fixture
def worker(queue_world: QueueWorld) -> Iterator[Batches]:
    """A worker with the limit that every worker has."""
    with Redis.from_url(queue_world.url, parser_class=BoundedParser) as redis:
        yield Batches(redis, queue_world.settings, "worker", "rq:worker:worker")


@pytest.mark.parametrize("is_ours", [False, True])
def test_jobs_with_much_data_are_taken_in_several_batches(
    queue_world: QueueWorld, worker: Batches, is_ours: bool
) -> None:
    for _ in range(FOREIGN):
        id_ = f"7-{secrets.token_hex(16)}"
        fields = {"status": "queued", "data": b"x" * MEGABYTE}
        if is_ours:
            fields |= {"accounts": "7", "times": f"{queue_world.now_ms()}+0"}
        queue_world.redis.hset(f"rq:job:{id_}", mapping=fields)  # type: ignore[arg-type]
        queue_world.redis.rpush("rq:queue:bets", id_)
    [good] = queue_world.admit_together(8)

    taken: list[str] = []
    while (batch := take(worker)).jobs:
        taken += ids(batch)
        assert finish(worker, batch, failing=set(ids(batch)) - {good})

    assert len(taken) == FOREIGN + 1
    assert queue_world.status(good) == "finished"
    assert queue_world.under_way() == set()
