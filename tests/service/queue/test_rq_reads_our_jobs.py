"""RQ's own API and command line read our jobs, in every state."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Worker
from rq.job import Job, JobStatus
from rq.registry import BaseRegistry
from rq.results import Result

from tests.service.queue.rq_sides import WORKER, Ours, is_shown_as_started, status
from tests.service.support.patience import COMMAND
from tests.service.support.processes import until
from tests.service.support.queue_world import ANSWER, QueueWorld, Request, finish, take
from tests.service.support.world import World, new_world

EVER_OF_A_JOB = ("rq:job:", "rq:results:", "rq:finished:", "rq:failed:", "rq:execution")


def test_a_queued_job_is_on_the_queue_with_all_that_rq_knows_of_a_job(
    queue_world: QueueWorld,
) -> None:
    request = Request(7, payload='["bets.pay_in_out",{"a":1},"ab","r"]')
    assert queue_world.admit(request) == "A"

    job = fetch(queue_world, request.command_id)
    assert job.get_status() is JobStatus.QUEUED
    command = ["bets.pay_in_out", {"a": 1}, "ab", "r"]
    assert (job.func_name, job.args, job.kwargs) == ("bets.apply", [command], {})
    assert (job.origin, job.timeout) == ("bets", 5)
    assert job.description == f"bet {request.token[:4]}"
    settings = queue_world.settings
    assert job.result_ttl == settings.result_ttl_seconds
    assert job.failure_ttl == settings.failure_ttl_seconds
    assert job.created_at is not None
    assert job.enqueued_at is not None
    assert job.created_at.timestamp() == pytest.approx(time.time(), abs=5)
    assert queue(queue_world).job_ids == [job.id]
    assert job.get_position() == 0


def test_a_group_is_one_job_to_rq_and_its_description_names_what_it_carries(
    queue_world: QueueWorld,
) -> None:
    requests = [Request(account) for account in (7, 8, 7)]
    assert queue_world.admit(*requests) == "AAA"
    queue_world.admit_together(7)

    bets = queue(queue_world)
    [id_] = bets.job_ids
    job = fetch(queue_world, id_)
    first = f"bet {requests[0].token[:4]}"
    assert job.description == f"3 commands: 3 pay-in-out. First: {first}"
    assert [command[2] for command in job.args] == [request.token for request in requests]
    assert counts(bets) == {"queued": 1, "deferred": 0, "started": 0, "finished": 0, "failed": 0}


def test_groups_of_a_batch_that_runs_are_started_jobs_of_their_worker(
    queue_world: QueueWorld,
) -> None:
    one, two = queue_world.admit_together(7), queue_world.admit_together(8)

    take(queue_world.worker("adam"))

    bets = queue(queue_world)
    assert sorted(bets.started_job_registry.get_job_ids()) == sorted(one + two)
    assert counts(bets) == {"queued": 0, "deferred": 0, "started": 2, "finished": 0, "failed": 0}
    for id_ in one + two:
        job = fetch(queue_world, id_)
        assert (job.get_status(), job.worker_name) == (JobStatus.STARTED, "adam")
        assert job.started_at is not None
        assert job.ended_at is None


@pytest.mark.parametrize("accounts", [(7,), (7, 8)])
def test_a_finished_job_has_the_results_of_its_commands_and_times(
    queue_world: QueueWorld, accounts: tuple[int, ...]
) -> None:
    queue_world.admit_together(*accounts)
    [id_] = queue_world.queued()
    worker = queue_world.worker("adam")
    finish(worker, take(worker))

    job = fetch(queue_world, id_)
    assert job.get_status() is JobStatus.FINISHED
    assert job.return_value() == (ANSWER if len(accounts) == 1 else [ANSWER] * len(accounts))
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


@pytest.mark.parametrize("accounts", [(7,), (8, 7)])
def test_a_failed_command_says_why(queue_world: QueueWorld, accounts: tuple[int, ...]) -> None:
    """Alone, or as one of a group, of which it becomes a job of its own."""
    *_, bad = queue_world.admit_together(*accounts)
    worker = queue_world.worker("adam")
    finish(worker, take(worker), failing=[bad])

    job = fetch(queue_world, bad)
    assert job.get_status() is JobStatus.FAILED
    assert (job.func_name, job.origin, job.worker_name) == ("bets.apply", "bets", "adam")
    assert bad == f"7-{job.args[0][2]}"
    assert job.return_value() is None
    assert job.started_at is not None
    assert job.ended_at is not None
    latest = job.latest_result()
    assert latest is not None
    assert (latest.type, latest.exc_string) == (Result.Type.FAILED, "it failed")
    assert queue(queue_world).failed_job_registry.get_job_ids() == [bad]
    assert counts(queue(queue_world))["failed"] == 1


def test_ended_jobs_go_when_their_time_is_up_and_leave_no_key(queue_world: QueueWorld) -> None:
    good, bad, _ = queue_world.admit_together(7, 8, 9)
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
            until(lambda: is_shown_as_started(redis, good), lambda: process.output)
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
        until(lambda: counts_of_worker(redis) == (1, 1), lambda: process.output)
        (worker,) = Worker.all(redis, serializer="json")
        assert worker.current_execution_count == 0
        assert 0 < worker.total_working_time < 60
    assert Worker.all(redis) == []


def counts_of_worker(redis: Redis) -> tuple[int, int]:
    """How many jobs RQ says that the one worker has done, and failed: up to a second late."""
    (worker,) = Worker.all(redis, serializer="json")
    return worker.successful_job_count, worker.failed_job_count


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
