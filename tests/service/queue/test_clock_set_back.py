"""Redis's clock is set back: nothing waits for it, and nothing ends early."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from broker.batches import Batches
from broker.scripts import common_arguments, source
from broker.taken import Batch
from tests.service.support.processes import until
from tests.service.support.queue_world import (
    BET_FIELD,
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
FIRST_LOOKS: dict[str, Callable[[QueueWorld, Batches, Batch], object]] = {
    "an admission": lambda world, _, __: world.admit(Request(99, budget_ms=0)),
    "a gateway's look": lambda world, _, __: world.remember("a run"),
    "a take": lambda _, worker, __: worker.take(0),
    "a renewal": lambda _, worker, batch: worker.renew(batch),
    "a sweep": lambda _, worker, __: worker.sweep(),
}


@pytest.mark.parametrize("look", FIRST_LOOKS)
def test_after_its_clock_is_set_back_no_player_waits_for_a_dead_worker_until_then(
    queue_world: QueueWorld, look: str
) -> None:
    commands = queue_world.admit_together(7, 8)
    dead = take(queue_world.worker("dead", lease_seconds=BRIEF))
    queue_world.admit_together(9)  # a take looks at the clock only if there is a job
    set_back(queue_world)
    worker = queue_world.worker()

    FIRST_LOOKS[look](queue_world, worker, replace(dead, id="none"))
    until(lambda: worker.sweep() == 1)

    assert ids(take(worker))[:2] == commands


@pytest.mark.parametrize("look", FIRST_LOOKS)
def test_after_its_clock_is_set_back_leases_and_deadlines_end_as_far_ahead_as_before(
    queue_world: QueueWorld, look: str
) -> None:
    worker, other = queue_world.worker(lease_seconds=60), queue_world.worker("other")
    in_hand = queue_world.admit_together(7, 8, bet_field=BET_FIELD)
    batch = take(worker)
    waiting = queue_world.admit_together(7, 8, bet_field=BET_FIELD)
    queue_world.admit_together(9)
    set_back(queue_world)

    FIRST_LOOKS[look](queue_world, other, batch)

    assert other.sweep() == 0  # nothing is taken from a worker that lives
    now = queue_world.now_ms()
    lease = queue_world.redis.zscore("betcore:leases", batch.id) or 0
    notes = queue_world.notes()
    assert 0 < lease - now <= 61_000
    assert notes.keys() == {*in_hand, *waiting}
    assert all(0 < deadline - now <= 61_000 for deadline in notes.values())
    assert finish(worker, batch)
    left = {command.id: command.deadline.seconds_left() for command in take(worker).commands}
    assert all(0 < left[id_] <= 61 for id_ in waiting)


@pytest.mark.parametrize("place", ["queued", "waiting"])
def test_after_its_clock_is_set_back_commands_are_too_late_when_they_would_have_been(
    queue_world: QueueWorld, place: str
) -> None:
    if place == "waiting":
        queue_world.admit_together(7)
    late = queue_world.admit_together(7, budget_ms=50)
    set_back(queue_world)
    worker = queue_world.worker()
    worker.sweep()
    wait_for_a_second(queue_world)  # the time is noted once a second

    batch = take(worker)
    if place == "waiting":
        assert finish(worker, batch)
        batch = take(worker)

    assert ids(batch) == late
    assert batch.commands[0].deadline.passed


def test_after_its_clock_is_set_back_a_job_that_had_failed_is_requeued_until_its_own_deadline(
    queue_world: QueueWorld,
) -> None:
    [late], [early] = queue_world.admit_together(7, budget_ms=50), queue_world.admit_together(8)
    worker = queue_world.worker()
    finish(worker, take(worker), failing=[late, early])
    set_back(queue_world, late, early)
    worker.sweep()
    wait_for_a_second(queue_world)

    assert requeue(queue_world, late, early) == [b"L", b"Q"]


@pytest.mark.parametrize("place", ["queued", "parked"])
def test_after_its_clock_is_set_back_a_requeued_job_keeps_its_own_deadline(
    queue_world: QueueWorld, place: str
) -> None:
    """It holds no player yet."""
    worker, other = queue_world.worker(), queue_world.worker("other")
    [requeued] = queue_world.admit_together(7)
    finish(worker, take(worker), failing=[requeued])
    queue_world.admit_together(7)
    batch = take(worker)
    assert requeue(queue_world, requeued) == [b"Q"]
    if place == "parked":
        assert take(other).jobs == ()
    set_back(queue_world, requeued)
    other.sweep()
    assert finish(worker, batch)

    [command] = take(other).commands

    assert command.id == requeued
    assert 0 < command.deadline.seconds_left() <= 61


def test_after_its_clock_is_set_back_no_time_is_moved_twice(queue_world: QueueWorld) -> None:
    """A worker of stock RQ took it, so that it is in flight and has failed."""
    [command] = queue_world.admit_together(7)
    queue_world.redis.zadd("rq:failed:bets", {command: 2_000_000_000})
    set_back(queue_world)
    queue_world.redis.hincrby("betcore:memory", "latest", -900)  # noted once a second
    worker = queue_world.worker()

    worker.sweep()

    assert 0 < take(worker).commands[0].deadline.seconds_left() <= 62


def test_a_clock_that_was_ahead_for_a_moment_ends_nothing_that_began_before(
    queue_world: QueueWorld,
) -> None:
    queue_world.admit_together(7)
    worker = queue_world.worker()
    batch = take(worker)
    waiting = queue_world.admit_together(8)
    queue_world.redis.hset("betcore:memory", "latest", queue_world.now_ms() + HOUR_MS)

    worker.sweep()

    assert queue_world.started() == {batch.jobs[0].id}
    assert worker.renew(batch)
    assert finish(worker, batch)
    assert ids(take(worker)) == waiting


def test_planted_keys_keep_no_time_from_being_brought_forward(queue_world: QueueWorld) -> None:
    late = queue_world.admit_together(7, 8, budget_ms=50)
    set_back(queue_world)
    redis = queue_world.redis
    for account, holder in {"5": "a group", "6": "7-ab", "9": "", "1:a bet": "+"}.items():
        redis.hset("betcore:in_flight", account, holder)
    for name in ("waiting:7", "waiting:5"):
        redis.set(f"betcore:{name}", "planted")
    redis.rpush("betcore:waiting:6", "planted", b"\xff")
    for name in ("rq:job:7-ab", "rq:workers:bets", "betcore:parked"):
        redis.set(name, "planted")
    worker = queue_world.worker()
    worker.sweep()
    wait_for_a_second(queue_world)

    batch = take(worker)

    assert ids(batch) == late
    assert all(command.deadline.passed for command in batch.commands)


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


def requeue(world: QueueWorld, *jobs: str) -> object:
    """Requeue failed jobs; a letter for each."""
    return world.redis.eval(source("requeue"), 0, *common_arguments("bets"), *jobs)


def wait_for_a_second(world: QueueWorld) -> None:
    """Wait, by Redis's clock, for a little longer than it takes to note the time again."""
    ends = world.now_ms() + 1100
    until(lambda: world.now_ms() > ends)
