"""A worker is lost: its jobs return whole and in order, and it changes nothing more."""

from tests.service.support.processes import until
from tests.service.support.queue_world import (
    QueueWorld,
    Request,
    finish,
    ids,
    take,
    wait_until_leases_end,
)

BRIEF = 0.05  # seconds of a lease that a test waits for


def test_a_lost_lease_returns_the_whole_batch_in_order(queue_world: QueueWorld) -> None:
    lost = queue_world.worker("lost", lease_seconds=BRIEF)
    one, two = queue_world.admit_jobs(1, 3), queue_world.admit_jobs(2, 2)
    batch = take(lost)
    late = queue_world.admit_jobs(1, 1)
    wait_until_leases_end(queue_world)
    worker = queue_world.worker()

    assert worker.sweep() == 2

    assert set(queue_world.queued()) == {one[0], two[0]}
    assert queue_world.deferred() == {*one[1:], *two[1:], *late}
    assert queue_world.started() == set()
    assert (queue_world.lane(1), queue_world.lane(2)) == (one + late, two)
    taken = take(worker)
    assert sorted(ids(taken)) == sorted(one + two + late)
    assert [id_ for id_ in ids(taken) if id_.startswith("1-")] == one + late
    assert batch.id != taken.id


def test_whoever_lost_its_lease_changes_nothing_any_more(queue_world: QueueWorld) -> None:
    lost, worker = queue_world.worker("lost", lease_seconds=BRIEF), queue_world.worker()
    jobs = queue_world.admit_jobs(7, 3)
    batch = take(lost)
    wait_until_leases_end(queue_world)
    worker.sweep()

    for with_the_other in (False, True):
        taken = take(worker) if with_the_other else None
        before = {key: dump for key, dump in queue_world.contents().items() if "lost" not in key}
        assert not lost.renew(batch.id)
        assert not finish(lost, batch)
        after = {key: dump for key, dump in queue_world.contents().items() if "lost" not in key}
        assert after == before

    assert taken is not None
    assert ids(taken) == jobs
    assert finish(worker, taken)
    assert not finish(lost, batch)
    assert [queue_world.status(id_) for id_ in jobs] == ["finished"] * 3
    assert queue_world.under_way() == set()


def test_a_job_deleted_while_it_ran_does_not_come_back_with_its_lost_batch(
    queue_world: QueueWorld,
) -> None:
    first, second = queue_world.admit_jobs(7, 2)
    take(queue_world.worker("lost", lease_seconds=BRIEF))
    queue_world.redis.delete(f"rq:job:{first}")
    wait_until_leases_end(queue_world)
    worker = queue_world.worker()

    worker.sweep()

    assert ids(take(worker)) == [second]
    assert queue_world.lane(7) == [second]
    assert f"rq:job:{first}" not in queue_world.all_keys()


def test_a_lease_that_is_renewed_is_not_lost(queue_world: QueueWorld) -> None:
    worker, other = queue_world.worker(lease_seconds=0.3), queue_world.worker("other")
    queue_world.admit_jobs(7, 2)
    batch = take(worker)
    ends = queue_world.now_ms() + 1000

    def is_over() -> bool:
        assert worker.renew(batch.id)
        assert other.sweep() == 0
        return queue_world.now_ms() > ends

    until(is_over)

    assert finish(worker, batch)


def test_a_lease_that_ran_out_unnoticed_is_still_held(queue_world: QueueWorld) -> None:
    worker = queue_world.worker(lease_seconds=BRIEF)
    queue_world.admit_jobs(7, 2)
    batch = take(worker)
    wait_until_leases_end(queue_world)

    assert finish(worker, batch)

    assert queue_world.under_way() == set()


def test_an_id_whose_worker_died_after_taking_it_off_the_queue_comes_back(
    queue_world: QueueWorld,
) -> None:
    jobs = [queue_world.admit_jobs(account, 1)[0] for account in (1, 2)]
    assert queue_world.pop_one() == jobs[0]
    assert queue_world.queued() == jobs[1:]
    worker = queue_world.worker()

    worker.sweep()

    assert queue_world.intermediate() == []
    assert queue_world.queued() == jobs  # where it was: in front
    assert ids(take(worker)) == jobs


def test_an_id_that_was_swept_while_its_worker_lives_runs_once(queue_world: QueueWorld) -> None:
    worker, other = queue_world.worker(), queue_world.worker("other")
    jobs = [queue_world.admit_jobs(account, 1)[0] for account in (1, 2)]
    popped = queue_world.pop_one()
    other.sweep()

    batch = take(worker, popped)

    assert sorted(ids(batch)) == sorted(jobs)
    assert take(other, popped).jobs == ()
    assert queue_world.intermediate() == []


def test_a_worker_that_is_killed_leaves_no_key_and_is_shown_with_no_job(
    queue_world: QueueWorld,
) -> None:
    killed, worker = queue_world.worker("killed", lease_seconds=BRIEF), queue_world.worker()
    queue_world.admit_jobs(7, 2)
    take(killed)
    assert queue_world.redis.ttl("rq:worker:killed:executions") > 0
    wait_until_leases_end(queue_world)
    worker.sweep()
    assert finish(worker, take(worker))

    assert not queue_world.under_way()


def test_after_the_queues_list_was_deleted_every_lane_goes_on(queue_world: QueueWorld) -> None:
    jobs = [queue_world.admit_jobs(account, 2) for account in range(5)]
    worker = queue_world.worker()
    queue_world.redis.delete("rq:queue:bets")

    assert worker.sweep() == 5
    assert worker.sweep() == 0

    assert set(queue_world.queued()) == {heads[0] for heads in jobs}
    assert len(take(worker).jobs) == 10


def test_after_an_outage_the_queue_is_worked_off_before_lanes_are_looked_through(
    queue_world: QueueWorld,
) -> None:
    (stuck,) = queue_world.admit_jobs(7, 1)
    queue_world.redis.delete("rq:queue:bets")
    lost = queue_world.admit_jobs(8, 2)
    take(queue_world.worker("lost", lease_seconds=BRIEF))
    wait_until_leases_end(queue_world)
    for first in range(10_000, 20_001, 500):
        queue_world.admit(*[Request(first + number, budget_ms=0) for number in range(500)])
    worker = queue_world.worker()

    assert worker.sweep() == 1  # of the lost batch, at once
    assert queue_world.queued()[0] == lost[0]  # in front: it has waited longest
    batch = take(worker)
    assert ids(batch) == lost
    assert finish(worker, batch)
    while queued := queue_world.queued():
        assert take(worker).jobs == (), queued

    assert worker.sweep() == 1
    assert ids(take(worker)) == [stuck]


def test_a_sweep_with_nothing_to_mend_changes_nothing(queue_world: QueueWorld) -> None:
    queue_world.admit(*[Request(account) for account in (1, 1, 2, 3, 3, 3)])
    worker = queue_world.worker(batch_jobs_max=2)
    take(worker)
    before = queue_world.contents()

    assert worker.sweep() == 0

    assert queue_world.contents() == before


def test_after_flushall_a_worker_finishes_nothing_and_leaves_nothing(
    queue_world: QueueWorld,
) -> None:
    queue_world.admit_jobs(7, 2)
    worker = queue_world.worker()
    batch = take(worker)
    queue_world.redis.flushall()

    assert not worker.renew(batch.id)
    assert not finish(worker, batch)
    assert worker.sweep() == 0

    assert queue_world.all_keys() == set()


# Redis's clock is set back by an hour. What it wrote before is an hour ahead then.
