"""A job that is requeued through RQ too late: it holds nobody, and nobody waits because of it."""

from rq.registry import FailedJobRegistry

from broker.ended import FinishedCommand
from tests.service.support.queue_world import QueueWorld, ended, finish, ids, take


def test_it_may_share_a_batch_with_the_job_that_holds_its_player(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    [late] = queue_world.admit_together(7, budget_ms=0)
    too_late = FinishedCommand(late, "", None, "too late", expired=True)
    assert worker.finish(take(worker), [too_late], 1)
    FailedJobRegistry("bets", connection=queue_world.redis, serializer="json").requeue(late)
    holder, waiting = queue_world.admit_one_by_one(7, 2)
    batch = take(worker)
    assert ids(batch) == [late, holder]

    assert worker.finish(batch, [too_late, ended(holder)], 1)

    assert queue_world.queued_commands() == [waiting]  # without a sweep
    assert finish(worker, take(worker))
    assert queue_world.failed() == {late}
    assert queue_world.under_way() == set()
