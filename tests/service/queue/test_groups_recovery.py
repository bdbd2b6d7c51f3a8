"""Groups when a worker or a job is lost: they return whole and in order, and players go on."""

import pytest

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


def test_a_lost_lease_returns_the_whole_batch_ahead_of_the_queue(queue_world: QueueWorld) -> None:
    one, two = queue_world.admit_together(1, 2, 1), queue_world.admit_together(3)
    batch = take(queue_world.worker("lost", lease_seconds=BRIEF))
    assert ids(batch) == one + two
    queued, waiting = queue_world.admit_together(4), queue_world.admit_together(1)
    wait_until_leases_end(queue_world)
    worker = queue_world.worker()

    assert worker.sweep() == 2

    assert queue_world.started() == set()
    assert queue_world.waiting(1) == waiting
    again = take(worker)
    assert sorted(ids(again)[:-1]) == sorted(one + two)
    assert [id_ for id_ in ids(again) if id_ in one] == one
    assert ids(again)[-1:] == queued
    assert [command.retaken for command in again.commands] == [True] * 4 + [False]
    assert again.id != batch.id


def test_whoever_lost_its_lease_changes_nothing_any_more(queue_world: QueueWorld) -> None:
    lost, worker = queue_world.worker("lost", lease_seconds=BRIEF), queue_world.worker()
    commands = queue_world.admit_together(7, 8)
    [group] = queue_world.queued()
    batch = take(lost)
    assert lost.renew(batch)
    wait_until_leases_end(queue_world)
    worker.sweep()

    for with_the_other in (False, True):
        again = take(worker) if with_the_other else None
        before = queue_world.contents()
        assert not lost.renew(batch)
        assert not finish(lost, batch)
        assert queue_world.contents() == before

    assert again is not None
    assert ids(again) == commands
    assert finish(worker, again)
    assert not finish(lost, batch)
    assert queue_world.status(group) == "finished"
    assert queue_world.under_way() == set()


def test_a_lease_that_is_renewed_is_not_lost(queue_world: QueueWorld) -> None:
    worker, other = queue_world.worker(lease_seconds=0.3), queue_world.worker("other")
    queue_world.admit_together(7, 8)
    batch = take(worker)
    ends = queue_world.now_ms() + 1000

    def is_over() -> bool:
        assert worker.renew(batch)
        assert other.sweep() == 0
        return queue_world.now_ms() > ends

    until(is_over)

    assert finish(worker, batch)


def test_a_lease_that_ran_out_unnoticed_is_still_held(queue_world: QueueWorld) -> None:
    worker = queue_world.worker(lease_seconds=BRIEF)
    queue_world.admit_together(7, 8)
    batch = take(worker)
    wait_until_leases_end(queue_world)

    assert finish(worker, batch)

    assert queue_world.under_way() == set()


# A worker of stock RQ that dies between taking an id off the queue and taking the job.


def test_an_id_whose_worker_died_after_taking_it_off_the_queue_comes_back(
    queue_world: QueueWorld,
) -> None:
    jobs = [queue_world.admit_together(account)[0] for account in (1, 2)]
    assert queue_world.pop_one() == jobs[0]
    assert queue_world.queued() == jobs[1:]
    worker = queue_world.worker()

    worker.sweep()

    assert queue_world.intermediate() == []
    assert queue_world.queued() == jobs  # where it was: in front
    assert ids(take(worker)) == jobs


def test_an_id_that_is_on_the_queue_twice_runs_once(queue_world: QueueWorld) -> None:
    commands = queue_world.admit_together(7, 8)
    queue_world.redis.rpush("rq:queue:bets", *queue_world.queued() * 2)
    worker, other = queue_world.worker(), queue_world.worker("other")
    [job_id, *_] = queue_world.queued()

    batch = take(worker)

    assert ids(batch) == commands
    queue_world.redis.rpush("rq:queue:bets", job_id)
    assert take(other).jobs == ()
    assert finish(worker, batch)
    queue_world.redis.rpush("rq:queue:bets", job_id)
    assert take(other).jobs == ()
    assert queue_world.under_way() == set()


def test_a_worker_that_is_killed_leaves_no_key_and_is_shown_with_no_job(
    queue_world: QueueWorld,
) -> None:
    killed, worker = queue_world.worker("killed", lease_seconds=BRIEF), queue_world.worker()
    queue_world.admit_together(7, 8)
    assert killed.renew(take(killed))
    assert 0 < queue_world.redis.ttl("rq:worker:killed:executions") <= 30
    wait_until_leases_end(queue_world)
    worker.sweep()
    assert finish(worker, take(worker))

    assert not queue_world.under_way()


# Groups that are gone.


@pytest.mark.parametrize("place", ["queued", "in hand", "in a lost batch"])
@pytest.mark.parametrize("how", ["deleted", "cancelled", "hollow", "done"])
def test_players_of_a_group_that_is_gone_are_free_and_what_waited_goes_on(
    queue_world: QueueWorld, place: str, how: str
) -> None:
    queue_world.admit_together(7, 8, 9)
    [group] = queue_world.queued()
    of_7, of_8 = queue_world.admit_one_by_one(7, 1), queue_world.admit_one_by_one(8, 2)
    lost = queue_world.worker("lost", lease_seconds=3600 if place == "in hand" else BRIEF)
    batch = None if place == "queued" else take(lost)
    end(queue_world, group, how)
    worker = queue_world.worker()
    if place == "in a lost batch":
        wait_until_leases_end(queue_world)
    if batch is not None and place == "in hand":
        assert finish(lost, batch)
    worker.sweep()
    batch = take(worker)
    if not batch.jobs:
        worker.sweep()
        batch = take(worker)

    assert len(batch.jobs) == 1
    assert ids(batch) in (of_7 + of_8, of_8 + of_7)
    assert finish(worker, batch)
    assert queue_world.under_way() == set()


def test_a_player_whose_holder_died_goes_on_though_nothing_is_queued(
    queue_world: QueueWorld,
) -> None:
    queue_world.admit_together(7)
    [holder] = queue_world.queued()
    waiting = queue_world.admit_one_by_one(7, 40)
    queue_world.redis.delete(f"rq:job:{holder}", "rq:queue:bets")
    worker = queue_world.worker()

    assert worker.sweep() == 1
    assert worker.sweep() == 0

    first = take(worker)
    assert ids(first) == waiting[:32]
    assert finish(worker, first)
    assert ids(take(worker)) == waiting[32:]


def test_after_the_queues_list_was_deleted_every_group_goes_on(queue_world: QueueWorld) -> None:
    commands = [queue_world.admit_together(10 * n, 10 * n + 1) for n in range(1, 6)]
    worker = queue_world.worker()
    queue_world.redis.delete("rq:queue:bets")

    assert worker.sweep() == 5
    assert worker.sweep() == 0

    assert sorted(ids(take(worker))) == sorted(id_ for both in commands for id_ in both)


def test_after_an_outage_the_queue_is_worked_off_before_players_are_looked_through(
    queue_world: QueueWorld,
) -> None:
    stuck = queue_world.admit_together(7)
    queue_world.redis.delete("rq:queue:bets")
    lost = queue_world.admit_together(8)
    take(queue_world.worker("lost", lease_seconds=BRIEF))
    wait_until_leases_end(queue_world)
    queue_world.redis.rpush("rq:queue:bets", *(f"an-id-{n}" for n in range(10_001)))
    worker = queue_world.worker()

    assert worker.sweep() == 1  # of the lost batch, at once
    assert queue_world.queued()[0] == lost[0]  # in front: it has waited longest
    assert ids(take(worker)) == lost
    assert queue_world.queued() == []
    assert worker.sweep() == 1

    assert ids(take(worker)) == stuck


def test_a_sweep_with_nothing_to_mend_changes_nothing(queue_world: QueueWorld) -> None:
    queue_world.admit(*[Request(account, bet_field="1:a bet") for account in (1, 1, 2)])
    queue_world.admit(*[Request(account) for account in (1, 3, 3, 3)])
    worker = queue_world.worker(batch_jobs_max=2)
    take(worker)
    before = queue_world.contents()

    assert worker.sweep() == 0

    assert queue_world.contents() == before


def test_after_flushall_a_worker_finishes_nothing_and_leaves_nothing(
    queue_world: QueueWorld,
) -> None:
    queue_world.admit_together(7, 8)
    worker = queue_world.worker()
    batch = take(worker)
    queue_world.redis.flushall()

    assert not worker.renew(batch)
    assert not finish(worker, batch)
    assert worker.sweep() == 0

    assert queue_world.all_keys() == set()


def end(world: QueueWorld, job_id: str, how: str) -> None:
    """End a job elsewhere."""
    key = f"rq:job:{job_id}"
    match how:
        case "deleted":
            world.redis.delete(key)
        case "cancelled":
            world.redis.hset(key, "status", "canceled")
        case "hollow":
            world.redis.hdel(key, "data")
        case _:
            world.redis.hset(key, "batch", "done")
