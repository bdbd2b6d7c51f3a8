"""Lanes when RQ or an operator interferes: requeues, foreign jobs, RQ's own clean-up."""

import subprocess
import sys

import pytest
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry

from broker.batches import Batches
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

OURS = "cash.deposit"
NOT_OURS = "os.system"


def test_rqs_own_clean_up_never_touches_what_our_workers_do(queue_world: QueueWorld) -> None:
    jobs = queue_world.admit_jobs(7, 3)
    worker = queue_world.worker(batch_jobs_max=2)
    batch = take(worker)
    before = queue_world.contents()

    bets = Queue("bets", connection=queue_world.redis, serializer="json")
    registry = StartedJobRegistry(queue=bets)
    an_hour_from_now = queue_world.now_ms() / 1000 + 3600
    registry.cleanup()
    registry.cleanup(an_hour_from_now)
    assert registry.count == 2
    assert sorted(registry.get_job_ids()) == sorted(jobs[:2])
    assert bets.deferred_job_registry.count == 1
    command = [sys.executable, "-m", "rq.cli", "info", "--raw", "-u", queue_world.url]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMMAND)
    assert shown.stdout == "queue bets 0, 2 executing, 0 finished, 0 failed\n"

    assert queue_world.contents() == before
    assert finish(worker, batch)


def test_a_failed_job_that_is_requeued_in_time_runs_behind_the_others(
    queue_world: QueueWorld,
) -> None:
    worker, other = queue_world.worker(batch_jobs_max=1), queue_world.worker("other")
    failed, next_, last = queue_world.admit_jobs(7, 3)
    finish(worker, take(worker), failing=[failed])
    batch = take(worker)
    assert ids(batch) == [next_]

    requeue(queue_world, failed)

    assert take(other).jobs == ()  # its lane is held: it waits its turn
    assert queue_world.status(failed) == "deferred"
    assert queue_world.deferred() == {last, failed}
    assert queue_world.lane(7) == [next_, last, failed]
    assert finish(worker, batch)
    batch = take(other)
    assert ids(batch) == [last, failed]
    assert finish(other, batch)
    assert queue_world.failed() == set()
    assert queue_world.under_way() == set()


def test_a_requeued_job_in_no_lane_begins_one(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    (failed,) = queue_world.admit_jobs(7, 1)
    finish(worker, take(worker), failing=[failed])
    assert queue_world.under_way() == set()

    requeue(queue_world, failed)
    batch = take(worker)

    assert ids(batch) == [failed]
    assert queue_world.lane(7) == [failed]
    assert finish(worker, batch)
    assert queue_world.under_way() == set()


def test_a_job_requeued_after_its_deadline_only_expires_again(queue_world: QueueWorld) -> None:
    worker = queue_world.worker()
    (id_,) = queue_world.admit_jobs(7, 1, budget_ms=0)
    assert take(worker).jobs == ()

    requeue(queue_world, id_)
    assert queue_world.status(id_) == "queued"
    assert take(worker).jobs == ()

    assert queue_world.status(id_) == "failed"
    assert queue_world.failed() == {id_}
    assert queue_world.under_way() == set()


@pytest.mark.parametrize("at_front", [False, True])
def test_a_job_out_of_turn_becomes_deferred_where_it_stands(
    queue_world: QueueWorld, at_front: bool
) -> None:
    jobs = queue_world.admit_jobs(7, 3)
    bets = Queue("bets", connection=queue_world.redis, serializer="json")
    waiting = bets.fetch_job(jobs[1])
    assert waiting is not None
    bets.enqueue_job(waiting, at_front=at_front)
    worker = queue_world.worker(batch_jobs_max=1)

    seen = []
    while (batch := take(worker)).jobs:
        seen += ids(batch)
        finish(worker, batch)

    assert seen == jobs
    assert queue_world.under_way() == set()


def test_a_head_cancelled_through_rq_is_passed_over(queue_world: QueueWorld) -> None:
    jobs = queue_world.admit_jobs(7, 2)
    cancelled = Job.fetch(jobs[0], connection=queue_world.redis, serializer="json")
    cancelled.cancel()
    worker = queue_world.worker()

    assert take(worker).jobs == ()  # RQ took it off the queue
    assert worker.sweep() == 1

    assert ids(take(worker)) == [jobs[1]]


def test_rqs_own_emptying_of_the_queue_lets_those_behind_go_on(queue_world: QueueWorld) -> None:
    heads = [queue_world.admit_jobs(account, 2)[0] for account in (1, 2)]
    worker = queue_world.worker()

    bets = Queue("bets", connection=queue_world.redis, serializer="json")
    assert bets.empty() == 2  # type: ignore[no-untyped-call]
    assert worker.sweep() == 2

    batch = take(worker)
    assert len(batch.jobs) == 2
    assert not set(heads) & set(ids(batch))


def test_a_started_job_that_is_queued_by_hand_stays_with_the_worker_that_has_it(
    queue_world: QueueWorld,
) -> None:
    first, second, third = queue_world.admit_jobs(7, 3)
    worker, other = queue_world.worker(batch_jobs_max=2), queue_world.worker("other")
    batch = take(worker)
    bets = Queue("bets", connection=queue_world.redis, serializer="json")
    started = bets.fetch_job(first)
    assert started is not None
    bets.enqueue_job(started)

    assert take(other).jobs == ()

    assert finish(worker, batch)
    assert ids(take(worker)) == [third]
    assert [queue_world.status(id_) for id_ in (first, second)] == ["finished"] * 2


@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("function", [OURS, NOT_OURS])
@pytest.mark.parametrize("job_id", [None, "12345678-1234-4123-8123-123456789abc", "7-ab"])
def test_a_foreign_job_ends_failed_and_blocks_nothing(
    queue_world: QueueWorld, serializer: str, function: str, job_id: str | None
) -> None:
    bets = Queue("bets", connection=queue_world.redis, serializer=serializer)
    foreign = bets.enqueue(
        function, {"account": 7, "reference": "r", "amount": "1"}, "", job_id=job_id
    )
    ours = queue_world.admit_jobs(7, 2)
    worker = queue_world.worker()

    ended = run_out(queue_world, worker)

    assert foreign.get_status() == "failed"
    assert queue_world.failed() == {foreign.id, *ours}  # ours hold no command
    assert set(ended) == set(ours) | ({foreign.id} if job_id != "7-ab" else set())
    assert queue_world.under_way() == set()


def test_a_foreign_job_of_a_lost_batch_ends_failed_too(queue_world: QueueWorld) -> None:
    lost, worker = queue_world.worker("lost", lease_seconds=0.05), queue_world.worker()
    bets = Queue("bets", connection=queue_world.redis, serializer="json")
    foreign = bets.enqueue(NOT_OURS, "true")
    take(lost)
    wait_until_leases_end(queue_world)
    worker.sweep()

    assert queue_world.queued() == [foreign.id]
    assert run_out(queue_world, worker) == [foreign.id]
    assert foreign.get_status() == "failed"
    executions = "rq:worker:lost:executions"
    assert queue_world.under_way() <= {executions}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[" * 8000,
        b"x is not compressed",
        b"\xff\xfe",
        b'["cash.deposit",null,[{},""],{}]',
        b'["cash.deposit",null,[{"account":7,"reference":"r","amount":"1"},"rq:queues"],{}]',
        b'[["cash.deposit"],null,[{},""],{}]',
    ],
)
def test_a_job_that_cannot_be_read_fails_alone(queue_world: QueueWorld, data: bytes) -> None:
    (bad,) = queue_world.admit_jobs(7, 1, data=data)
    queue_world.admit_jobs(7, 1)
    worker = queue_world.worker()
    batch = take(worker)

    ends = {job.id: job for job in run(unused_ledger(), batch.jobs[:1])}

    assert ends[bad].result is None
    assert ends[bad].failure.startswith("BadJob")


def test_a_job_too_long_to_be_ours_is_not_read_and_fails_alone(queue_world: QueueWorld) -> None:
    (bad,) = queue_world.admit_jobs(7, 1, data=" " * 10_000_000)
    batch = take(queue_world.worker())

    assert [(job.id, job.data) for job in batch.jobs] == [(bad, b"")]
    assert [end.result for end in run(unused_ledger(), batch.jobs)] == [None]


def requeue(world: QueueWorld, job_id: str) -> None:
    """Requeue a failed job as the dashboard does."""
    FailedJobRegistry("bets", connection=world.redis, serializer="json").requeue(job_id)


def run_out(world: QueueWorld, worker: Batches) -> list[str]:
    """Run batches until none is left, with no ledger to apply anything; the ids that were run."""
    ran: list[str] = []
    while (batch := take(worker)).jobs:
        ran += ids(batch)
        assert worker.finish(batch, run(unused_ledger(), batch.jobs), world.now_ms() / 1000)
    return ran


def unused_ledger() -> Ledger:
    """A ledger that has no database, for jobs that must not reach it."""
    return Ledger(LedgerConnection("", wait_seconds=1, connect_seconds=1))
