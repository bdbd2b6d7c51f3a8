"""The stream of a gateway or a command that is gone: Redis does not keep it."""

from broker.batches import Batches
from broker.taken import Batch
from tests.service.support.queue_world import (
    QueueWorld,
    Request,
    ended,
    take,
    wait_until_leases_end,
)

STREAM = "betcore:replies:one"
BRIEF = 0.05  # seconds of a lease that a test waits for


def test_its_first_reply_gives_it_a_ttl_and_those_soon_after_keep_it(
    queue_world: QueueWorld,
) -> None:
    worker = queue_world.worker(reply_stream_ttl_seconds=60)

    for _ in range(2):
        assert answer(worker, admitted(queue_world, worker)) is not None
        assert 0 < queue_world.redis.ttl(STREAM) <= 60

    assert queue_world.redis.xlen(STREAM) == 2


def test_a_reply_that_was_not_sent_gives_it_no_ttl_so_the_next_one_does(
    queue_world: QueueWorld,
) -> None:
    worker = queue_world.worker(lease_seconds=BRIEF)
    lost = admitted(queue_world, worker)
    wait_until_leases_end(queue_world)
    queue_world.worker("other").sweep()
    assert answer(worker, lost) is None

    assert answer(worker, take(worker)) is not None

    assert queue_world.redis.ttl(STREAM) > 0


def test_a_stream_that_was_lost_with_its_redis_has_a_ttl_again(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    assert answer(worker, admitted(queue_world, worker)) is not None
    queue_world.redis.flushall()

    assert answer(worker, admitted(queue_world, worker)) is not None

    assert queue_world.redis.ttl(STREAM) > 0
    assert queue_world.redis.xlen(STREAM) == 1


def admitted(world: QueueWorld, worker: Batches) -> Batch:
    """A batch with a command whose answer goes to the stream."""
    assert world.admit(Request(reply_to=STREAM)) == "A"
    return take(worker)


def answer(worker: Batches, batch: Batch) -> Batch | None:
    """Finish the batch, and send its answers."""
    return worker.finish(batch, [ended(c.id, reply_to=STREAM) for c in batch.commands], 1)
