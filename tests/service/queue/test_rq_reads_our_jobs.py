"""RQ's own API and command line read our jobs, in every state."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from rq import Queue, Worker
from rq.job import Job, JobStatus
from rq.registry import BaseRegistry
from rq.results import Result

from tests.service.queue.rq_sides import WORKER, Ours, status
from tests.service.support.patience import COMMAND
from tests.service.support.processes import until
from tests.service.support.queue_world import ANSWER, QueueWorld, finish, take
from tests.service.support.world import World, new_world

EVER_OF_A_JOB = ("rq:job:", "rq:results:", "rq:finished:", "rq:failed:", "rq:execution")


def test_a_queued_job_is_on_the_queue_with_all_that_rq_knows_of_a_job(
    queue_world: QueueWorld,
) -> None:
    (id_,) = queue_world.admit_jobs(7, 1, data='["bets.pay_in_out",null,[{"a":1},"r"],{}]')

    job = fetch(queue_world, id_)
    assert job.get_status() is JobStatus.QUEUED
    assert (job.func_name, job.args, job.kwargs) == ("bets.pay_in_out", [{"a": 1}, "r"], {})
    assert (job.origin, job.description, job.timeout) == ("bets", "a bet", 5)
    assert (job.result_ttl, job.failure_ttl) == (60, 86_400)
    assert job.created_at is not None
    assert job.enqueued_at is not None
    assert job.created_at.timestamp() == pytest.approx(time.time(), abs=5)
    assert queue(queue_world).job_ids == [id_]
    assert job.get_position() == 0


def test_those_behind_a_lanes_head_are_deferred_jobs_to_rq(queue_world: QueueWorld) -> None:
    head, *behind = queue_world.admit_jobs(7, 3)

    bets = queue(queue_world)
    assert bets.job_ids == [head]
    assert set(bets.deferred_job_registry.get_job_ids()) == set(behind)
    assert [fetch(queue_world, id_).get_status() for id_ in behind] == [JobStatus.DEFERRED] * 2
    assert counts(bets) == {"queued": 1, "deferred": 2, "started": 0, "finished": 0, "failed": 0}


def test_jobs_of_a_batch_that_runs_are_started_jobs_of_their_worker(
    queue_world: QueueWorld,
) -> None:
    first, second = queue_world.admit_jobs(7, 2)

    take(queue_world.worker("adam"))

    bets = queue(queue_world)
    assert sorted(bets.started_job_registry.get_job_ids()) == sorted([first, second])
    assert counts(bets) == {"queued": 0, "deferred": 0, "started": 2, "finished": 0, "failed": 0}
    for id_ in (first, second):
        job = fetch(queue_world, id_)
        assert (job.get_status(), job.worker_name) == (JobStatus.STARTED, "adam")
        assert job.started_at is not None
        assert job.ended_at is None


def test_a_finished_job_has_its_result_and_times(queue_world: QueueWorld) -> None:
    (id_,) = queue_world.admit_jobs(7, 1)
    worker = queue_world.worker("adam")
    finish(worker, take(worker))

    job = fetch(queue_world, id_)
    assert job.get_status() is JobStatus.FINISHED
    assert job.return_value() == ANSWER
    latest = job.latest_result()
    assert latest is not None
    assert (latest.type, latest.worker_name) == (Result.Type.SUCCESSFUL, "adam")
    assert latest.execution_started_at is not None
    assert latest.execution_ended_at is not None
    assert latest.execution_started_at <= latest.execution_ended_at
    assert job.started_at is not None
    assert job.ended_at is not None
    assert job.started_at <= job.ended_at
    assert queue(queue_world).finished_job_registry.get_job_ids() == [id_]
    assert job.latest_result(timeout=1) is not None  # the blocking read of those who wait


def test_a_failed_job_says_why(queue_world: QueueWorld) -> None:
    (id_,) = queue_world.admit_jobs(7, 1)
    worker = queue_world.worker("adam")
    finish(worker, take(worker), failing=[id_])

    job = fetch(queue_world, id_)
    assert job.get_status() is JobStatus.FAILED
    assert job.return_value() is None
    latest = job.latest_result()
    assert latest is not None
    assert (latest.type, latest.exc_string) == (Result.Type.FAILED, "it failed")
    assert queue(queue_world).failed_job_registry.get_job_ids() == [id_]
    assert counts(queue(queue_world))["failed"] == 1


def test_a_job_that_expired_in_the_queue_is_a_failed_job_that_says_so(
    queue_world: QueueWorld,
) -> None:
    (id_,) = queue_world.admit_jobs(7, 1, budget_ms=0)
    assert take(queue_world.worker("adam")).jobs == ()

    job = fetch(queue_world, id_)
    latest = job.latest_result()
    assert latest is not None
    assert latest.exc_string == "DeadlineExpired: too late."
    assert queue(queue_world).failed_job_registry.get_job_ids() == [id_]


def test_ended_jobs_go_when_their_time_is_up_and_leave_no_key(queue_world: QueueWorld) -> None:
    good, bad = queue_world.admit_jobs(7, 2)
    worker = queue_world.worker("adam", result_ttl_seconds=1, failure_ttl_seconds=1)
    finish(worker, take(worker), failing=[bad])
    bets = queue(queue_world)
    assert (bets.finished_job_registry.count, bets.failed_job_registry.count) == (1, 1)

    def is_swept() -> bool:
        worker.sweep()
        return not any(key.startswith(EVER_OF_A_JOB) for key in queue_world.all_keys())

    until(is_swept)
    assert not Job.exists(good, connection=queue_world.redis)


@pytest.fixture(scope="module")
def real_world() -> Iterator[World]:
    """Servers for a real worker."""
    with new_world() as world:
        yield world


def test_rq_info_and_workers_show_the_right_numbers_while_a_worker_runs_and_after(
    real_world: World,
) -> None:
    ours, redis = Ours(real_world), real_world.redis
    good = ours.enqueue("good")
    with ours.process() as process:
        with ours.held():
            until(lambda: status(redis, good) == "started", lambda: process.output)
            assert rq_info(real_world) == [
                "queue bets 0, 1 executing, 0 finished, 0 failed",
                "busy",
            ]
            (worker,) = Worker.all(redis, serializer="json")
            assert (worker.name, worker.queue_names()) == (WORKER, ["bets"])
            assert worker.get_current_job_id() == good
            assert worker.current_execution_count == 1

        until(lambda: status(redis, good) == "finished", lambda: process.output)
        bad = ours.enqueue("bad")
        until(lambda: status(redis, bad) == "failed", lambda: process.output)
        queue_line = "queue bets 0, 0 executing, 1 finished, 1 failed"
        until(lambda: rq_info(real_world) == [queue_line, "idle"], lambda: process.output)
        (worker,) = Worker.all(redis, serializer="json")
        assert (worker.successful_job_count, worker.failed_job_count) == (1, 1)
        assert worker.current_execution_count == 0
        assert 0 < worker.total_working_time < 60
    assert Worker.all(redis) == []


def rq_info(world: World) -> list[str]:
    """What `rq info` says of the queue, and of the state of the one worker."""
    command = [sys.executable, "-m", "rq.cli", "info", "--raw", "-u", world.urls.redis]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=COMMAND)
    queue_line, worker_line = shown.stdout.splitlines()
    assert worker_line.startswith(f"worker {WORKER} ("), shown.stdout
    return [queue_line, worker_line.partition(") ")[2].split()[0]]


def queue(world: QueueWorld) -> Queue:
    """The queue as RQ sees it."""
    return Queue("bets", connection=world.redis, serializer="json")


def fetch(world: QueueWorld, job_id: str) -> Job:
    """A job as RQ reads it."""
    return Job.fetch(job_id, connection=world.redis, serializer="json")


def counts(bets: Queue) -> dict[str, int]:
    """How many jobs RQ counts, in each state, after its own clean-up."""
    registries: dict[str, BaseRegistry | Any] = {
        "deferred": bets.deferred_job_registry,
        "started": bets.started_job_registry,
        "finished": bets.finished_job_registry,
        "failed": bets.failed_job_registry,
    }
    return {"queued": bets.count} | {name: found.count for name, found in registries.items()}
