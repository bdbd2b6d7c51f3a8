"""Groups when RQ or an operator steps in: requeues, foreign jobs, RQ's own clean-up."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry

from broker.batches import Batches
from broker.rq_queue import RqQueue
from models.ledger.ledger import Ledger, LedgerConnection
from tests.service.support.patience import COMMAND
from tests.service.support.queue_world import (
    QueueWorld,
    finish,
    ids,
    take,
    wait_until_leases_end,
)
from workers.jobs import run

OURS = "bets.apply"
NOT_OURS = "os.system"


def requeue_through_rq(world: QueueWorld, job_id: str) -> None:
    """Requeue a failed job as the dashboard does."""
    FailedJobRegistry("bets", connection=world.redis, serializer="json").requeue(job_id)


def requeue_by_command(world: QueueWorld, job_id: str) -> None:
    """Requeue a failed job as `betcore queue requeue` does."""
    RqQueue(world.redis, "bets").requeue(job_id)


Requeue = Callable[[QueueWorld, str], None]
WAYS: list[Requeue] = [requeue_through_rq, requeue_by_command]


def test_rqs_own_clean_up_never_touches_what_our_workers_do(queue_world: QueueWorld) -> None:
    queue_world.remember("a run")  # a gateway also tells RQ of the queue
    jobs = [queue_world.admit_together(account)[0] for account in (7, 8)]
    queue_world.admit_together(7)
    worker = queue_world.worker()
    batch = take(worker)
    before = queue_world.contents()

    registry = StartedJobRegistry(queue=bets(queue_world))
    an_hour_from_now = queue_world.now_ms() / 1000 + 3600
    registry.cleanup()
    registry.cleanup(an_hour_from_now)
    assert registry.count == 2
    assert sorted(registry.get_job_ids()) == sorted(jobs)
    command = [sys.executable, "-m", "rq.cli", "info", "--raw", "-u", queue_world.url]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMMAND)
    assert shown.stdout == "queue bets 0, 2 executing, 0 finished, 0 failed\n"

    assert queue_world.contents() == before
    assert finish(worker, batch)


# Requeues.


@pytest.mark.parametrize("requeue", WAYS)
def test_a_job_that_is_requeued_while_its_player_is_held_is_parked_until_the_player_is_free(
    queue_world: QueueWorld, requeue: Requeue
) -> None:
    worker, other = queue_world.worker(), queue_world.worker("other")
    [failed] = queue_world.admit_together(7)
    assert finish(worker, take(worker), failing=[failed])
    queue_world.admit_together(7, 8)
    batch = take(worker)
    waiting = queue_world.admit_together(7)

    requeue(queue_world, failed)
    for _ in range(2):
        assert take(other).jobs == ()
        assert queue_world.redis.smembers("betcore:parked") == {failed.encode()}
        other.sweep()

    assert queue_world.holder(7) == batch.jobs[0].id
    assert finish(worker, batch)  # what waited goes before it
    for expected in (waiting, [failed]):
        assert ids(batch := take(other)) == expected
        assert finish(other, batch)
        other.sweep()
    assert queue_world.failed() == set()
    assert queue_world.under_way() == set()


@pytest.mark.parametrize("requeue", WAYS)
def test_a_requeued_job_holds_its_players_again(queue_world: QueueWorld, requeue: Requeue) -> None:
    worker = queue_world.worker()
    queue_world.admit_together(7, 8)
    [group] = queue_world.queued()
    queue_world.redis.hset(f"rq:job:{group}", "data", "nobody can read this")
    assert finish(worker, take(worker), failing=[group])
    assert queue_world.failed() == {group}
    assert queue_world.under_way() == set()

    requeue(queue_world, group)
    batch = take(worker)
    waiting = queue_world.admit_together(7, 8)

    assert ids(batch) == [group]
    assert take(queue_world.worker("other")).jobs == ()
    assert finish(worker, batch, failing=[group])
    assert ids(take(worker)) == waiting


def test_a_job_requeued_after_its_deadline_only_expires_again(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    [id_] = queue_world.admit_together(7, budget_ms=0)
    assert run_out(queue_world, worker) == [id_]

    requeue_through_rq(queue_world, id_)
    assert queue_world.status(id_) == "queued"
    assert run_out(queue_world, worker) == [id_]

    assert queue_world.status(id_) == "failed"
    assert queue_world.failed() == {id_}
    assert queue_world.under_way() == set()


def test_a_group_that_was_applied_is_not_run_again_whoever_puts_it_on_the_queue(
    queue_world: QueueWorld,
) -> None:
    """A worker of stock RQ said that it failed, and `rq requeue` lets it wait once more."""
    queue_world.admit_together(7, 8)
    [group] = queue_world.queued()
    worker = queue_world.worker()
    assert finish(worker, take(worker))
    queue_world.redis.zadd("rq:failed:bets", {group: 2_000_000_000})

    requeue_through_rq(queue_world, group)
    assert queue_world.queued() == [group]
    assert take(worker).jobs == ()

    assert queue_world.under_way() == set()


# Cancelling, emptying, queueing by hand.


def test_what_waits_behind_a_group_cancelled_through_rq_goes_on(queue_world: QueueWorld) -> None:
    queue_world.admit_together(7, 8)
    [group] = queue_world.queued()
    waiting = queue_world.admit_together(8, 7)
    fetch(queue_world, group).cancel()
    worker = queue_world.worker()

    assert take(worker).jobs == ()  # RQ took it off the queue
    assert worker.sweep() == 1

    assert sorted(ids(take(worker))) == sorted(waiting)


def test_a_cancelled_group_that_is_queued_again_holds_its_players_before_it_runs(
    queue_world: QueueWorld,
) -> None:
    cancelled = queue_world.admit_together(7, 8)
    [group] = queue_world.queued()
    fetch(queue_world, group).cancel()
    worker, other = queue_world.worker(), queue_world.worker("other")
    worker.sweep()
    running = queue_world.admit_together(8)
    batch = take(worker)

    bets(queue_world).enqueue_job(fetch(queue_world, group))

    assert ids(batch) == running
    assert take(other).jobs == ()
    assert finish(worker, batch)
    other.sweep()
    assert ids(take(other)) == cancelled
    assert {queue_world.holder(7), queue_world.holder(8)} == {group}


def test_rqs_own_emptying_of_the_queue_lets_what_waits_go_on(queue_world: QueueWorld) -> None:
    for account in (1, 2):
        queue_world.admit_together(account)
    waiting = queue_world.admit_together(1) + queue_world.admit_together(2)
    worker = queue_world.worker()

    assert bets(queue_world).empty() == 2  # type: ignore[no-untyped-call]
    assert worker.sweep() == 2

    assert sorted(ids(take(worker))) == sorted(waiting)


@pytest.mark.parametrize("at_front", [False, True])
def test_a_started_job_that_is_queued_by_hand_stays_with_the_worker_that_has_it(
    queue_world: QueueWorld, at_front: bool
) -> None:
    queue_world.admit_together(7, 8)
    [group] = queue_world.queued()
    worker, other = queue_world.worker(), queue_world.worker("other")
    batch = take(worker)

    bets(queue_world).enqueue_job(fetch(queue_world, group), at_front=at_front)

    assert take(other).jobs == ()
    assert finish(worker, batch)
    assert queue_world.status(group) == "finished"
    assert queue_world.under_way() == set()


# Jobs that are not ours.


@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("function", [OURS, NOT_OURS])
@pytest.mark.parametrize("job_id", [None, "12345678-1234-4123-8123-123456789abc", "7-ab"])
def test_a_foreign_job_ends_failed_and_blocks_nothing(
    queue_world: QueueWorld, serializer: str, function: str, job_id: str | None
) -> None:
    queue = Queue("bets", connection=queue_world.redis, serializer=serializer)
    foreign = queue.enqueue(function, {"account": 7, "reference": "r"}, job_id=job_id)
    ours = queue_world.admit_one_by_one(7, 2, budget_ms=0)

    ended = run_out(queue_world, queue_world.worker())

    assert foreign.get_status() == "failed"
    assert queue_world.failed() == {foreign.id, *ours}  # ours were too late
    assert ended == [foreign.id, *ours]
    assert queue_world.under_way() == set()


def test_a_job_of_an_earlier_release_ends_failed_and_is_never_applied(
    queue_world: QueueWorld,
) -> None:
    """It had a hash of its own, and a lane."""
    data = '["bets.pay_in_out",null,[{"account":7},""],{}]'
    job: dict[Any, Any] = {
        "status": "queued",
        "data": data,
        "deadline": "9999999999999",
        "origin": "bets",
    }
    queue_world.redis.hset("rq:job:7-ab", mapping=job)
    queue_world.redis.rpush("rq:queue:bets", "7-ab")

    assert run_out(queue_world, queue_world.worker()) == ["7-ab"]

    assert queue_world.failed() == {"7-ab"}
    assert queue_world.under_way() == set()


def test_a_foreign_job_of_a_lost_batch_ends_failed_too(queue_world: QueueWorld) -> None:
    lost, worker = queue_world.worker("lost", lease_seconds=0.05), queue_world.worker()
    foreign = bets(queue_world).enqueue(NOT_OURS, "true")
    take(lost)
    wait_until_leases_end(queue_world)
    worker.sweep()

    assert queue_world.queued() == [foreign.id]
    assert run_out(queue_world, worker) == [foreign.id]
    assert foreign.get_status() == "failed"
    assert queue_world.under_way() == set()


@pytest.mark.parametrize(
    "payload",
    [
        "{}",
        "[]",
        "null",
        '["cash.deposit",{},"ab",""]',
        '["cash.deposit",{"account":7,"reference":"r","amount":"1"},"ab","rq:queues"]',
        '["cash.deposit",{"account":8,"reference":"r","amount":"1"},"ab",""]',
        '[["cash.deposit"],{},"ab",""]',
        '["os.system",{},"ab",""]',
    ],
)
def test_a_command_that_cannot_be_read_fails_alone(queue_world: QueueWorld, payload: str) -> None:
    queue_world.admit_together(7, payload=payload)
    others = queue_world.admit_together(8, 9, budget_ms=0)
    batch = take(queue_world.worker())

    ends = {end.id: end for end in run(unused_ledger(), batch.commands)}

    assert ends.keys() == set(ids(batch))
    failures = [ends[id_].failure.partition(":")[0] for id_ in ids(batch)]
    assert failures == ["BadJob"] + ["DeadlineExpired"] * len(others)


def bets(world: QueueWorld) -> Queue:
    """The queue as RQ sees it."""
    return Queue("bets", connection=world.redis, serializer="json")


def fetch(world: QueueWorld, job_id: str) -> Job:
    """A job as RQ reads it."""
    return Job.fetch(job_id, connection=world.redis, serializer="json")


def run_out(world: QueueWorld, worker: Batches) -> list[str]:
    """Run batches until none is left, with no ledger to apply anything; the ids that were run."""
    ran: list[str] = []
    while (batch := take(worker)).jobs:
        ran += ids(batch)
        assert worker.finish(batch, run(unused_ledger(), batch.commands), world.now_ms() / 1000)
    return ran


def unused_ledger() -> Ledger:
    """A ledger that has no database, for jobs that must not reach it."""
    return Ledger(LedgerConnection("", wait_seconds=1, connect_seconds=1))
