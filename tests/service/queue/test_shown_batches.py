"""RQ shows a batch while it is renewed, and never afterwards."""

from tests.service.support.queue_world import QueueWorld, finish, take


def test_a_renewal_that_overtakes_the_end_of_its_batch_leaves_nothing(
    queue_world: QueueWorld,
) -> None:
    """The lease's thread renews at any moment, also when the worker is about to finish."""
    worker = queue_world.worker()
    queue_world.admit_together(7)
    batch = take(worker)

    assert worker.renew(batch)  # by the other thread
    assert finish(worker, batch)
    assert not worker.renew(batch)

    assert queue_world.under_way() == set()
