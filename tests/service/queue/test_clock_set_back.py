"""Redis's clock is set back: nothing waits for it, and nothing ends early."""

from collections.abc import Callable

import pytest

from broker.batches import Batches
from broker.scripts import common_arguments, source
from tests.service.support.processes import until
from tests.service.support.queue_world import (
    FLIGHT,
    HOUR_MS,
    QueueWorld,
    Request,
    finish,
    ids,
    set_back,
    take,
)

BRIEF = 0.05  # seconds of a lease that a test waits for

#: What may be the first to see that the clock was set back.
FIRST_LOOKS: dict[str, Callable[[QueueWorld, Batches, str], object]] = {
    "an admission": lambda world, _, __: world.admit(Request(99, budget_ms=0)),
    "a gateway's look": lambda world, _, __: world.remember("a run"),
    "a take": lambda _, worker, __: worker.take(0),
    "a renewal": lambda _, worker, batch: worker.renew(batch),
    "a sweep": lambda _, worker, __: worker.sweep(),
}


@pytest.mark.parametrize("look", FIRST_LOOKS)
def test_after_its_clock_is_set_back_no_lane_waits_for_a_dead_worker_until_then(
    queue_world: QueueWorld, look: str
) -> None:
    jobs = queue_world.admit_jobs(7, 2)
    take(queue_world.worker("dead", lease_seconds=BRIEF))
    set_back(queue_world)
    worker = queue_world.worker()

    FIRST_LOOKS[look](queue_world, worker, "none")
    until(lambda: worker.sweep() == 1)

    assert ids(take(worker)) == jobs


@pytest.mark.parametrize("look", FIRST_LOOKS)
def test_after_its_clock_is_set_back_a_lease_and_a_deadline_end_as_far_ahead_as_before(
    queue_world: QueueWorld, look: str
) -> None:
    worker = queue_world.worker(batch_jobs_max=1, lease_seconds=60)
    jobs = queue_world.admit_jobs(7, 2, budget_ms=60_000)
    batch = take(worker)
    note_flight(queue_world, *jobs)
    set_back(queue_world)

    FIRST_LOOKS[look](queue_world, queue_world.worker("other"), batch.id)

    assert queue_world.worker("other").sweep() == 0  # nothing is taken from who lives
    now, redis = queue_world.now_ms(), queue_world.redis
    ends = {
        "lease": redis.zscore("betcore:leases", batch.id),
        **{f"deadline of {id_}": redis.hget(f"rq:job:{id_}", "deadline") for id_ in jobs},
        **{f"flight of {id_}": redis.zscore(FLIGHT, id_) for id_ in jobs},
    }
    assert {name for name, at in ends.items() if not 0 < float(at or 0) - now <= 61_000} == set()
    assert finish(worker, batch)
    assert ids(take(worker)) == jobs[1:]


def test_after_its_clock_is_set_back_jobs_that_wait_are_too_late_when_they_would_have_been(
    queue_world: QueueWorld,
) -> None:
    late = queue_world.admit_jobs(7, 2, budget_ms=50)
    set_back(queue_world)
    worker = queue_world.worker()
    worker.sweep()
    ends = queue_world.now_ms() + 1100  # the time is noted once a second
    until(lambda: queue_world.now_ms() > ends)

    assert take(worker).jobs == ()

    assert queue_world.failed() == set(late)
    assert queue_world.under_way() == set()


def test_after_its_clock_is_set_back_a_job_that_had_failed_is_requeued_until_its_own_deadline(
    queue_world: QueueWorld,
) -> None:
    (late,), (early,) = queue_world.admit_jobs(7, 1, budget_ms=50), queue_world.admit_jobs(8, 1)
    worker = queue_world.worker()
    finish(worker, take(worker), failing=[late, early])
    set_back(queue_world, late, early)
    worker.sweep()
    ends = queue_world.now_ms() + 1100  # the time is noted once a second
    until(lambda: queue_world.now_ms() > ends)

    common = common_arguments("bets")
    letters = queue_world.redis.eval(source("requeue"), 0, *common, late, early)

    assert letters == [b"L", b"Q"]


def test_a_clock_that_was_ahead_for_a_moment_ends_nothing_that_began_before(
    queue_world: QueueWorld,
) -> None:
    in_hand = queue_world.admit_jobs(7, 1)
    worker = queue_world.worker()
    batch = take(worker)
    waiting = queue_world.admit_jobs(8, 1)
    queue_world.redis.hset("betcore:memory", "latest", queue_world.now_ms() + HOUR_MS)

    worker.sweep()

    assert queue_world.started() == set(in_hand)
    assert worker.renew(batch.id)
    assert finish(worker, batch)
    assert ids(take(worker)) == waiting


def test_a_key_of_another_kind_in_the_place_of_a_lane_keeps_no_time_from_being_brought_forward(
    queue_world: QueueWorld,
) -> None:
    late = queue_world.admit_jobs(7, 1, budget_ms=50)
    set_back(queue_world)
    for name in ("betcore:lane:6", "betcore:lane:8"):
        queue_world.redis.set(name, "planted")
        queue_world.redis.sadd("betcore:lanes", name)
    queue_world.redis.set("rq:workers:bets", "planted")
    worker = queue_world.worker()
    worker.sweep()
    ends = queue_world.now_ms() + 1100  # the time is noted once a second
    until(lambda: queue_world.now_ms() > ends)

    assert take(worker).jobs == ()

    assert queue_world.failed() == set(late)


def test_after_its_clock_is_set_back_a_dead_worker_of_ours_is_not_shown_until_then(
    queue_world: QueueWorld,
) -> None:
    redis = queue_world.redis
    for name, field in {"ours": "betcore", "stock": "birth"}.items():
        redis.hset(f"rq:worker:{name}", field, "1")
        redis.expire(f"rq:worker:{name}", 420)
        redis.sadd("rq:workers:bets", f"rq:worker:{name}")
    set_back(queue_world)

    queue_world.worker().sweep()

    assert 0 < redis.ttl("rq:worker:ours") <= 30
    assert redis.ttl("rq:worker:stock") > 3600


def note_flight(world: QueueWorld, *jobs: str) -> None:
    """Note the deadlines of jobs as those of one bet."""
    for id_ in jobs:
        world.redis.hset(f"rq:job:{id_}", "flight", FLIGHT)
        deadline = world.redis.hget(f"rq:job:{id_}", "deadline")
        world.redis.zadd(FLIGHT, {id_: float(deadline or 0)})
