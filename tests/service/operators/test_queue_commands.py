"""`betcore queue`, which operators use instead of RQ's own command line."""

import json
import time
from typing import Any, cast

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from typer.testing import CliRunner, Result

from broker.rq_queue import NothingRequeued
from ops.cli import app
from settings import settings
from tests.service.support.processes import until
from tests.service.support.queue_world import QueueWorld, Request, finish, ids, take


def run(world: QueueWorld, *arguments: str, **env: str) -> Result:
    """Run `betcore queue …`."""
    settings.cache_clear()
    try:
        return CliRunner(env={"REDIS_URL": world.url} | env).invoke(app, ["queue", *arguments])
    finally:
        settings.cache_clear()


def document(world: QueueWorld, *arguments: str) -> dict[str, Any]:
    """The JSON document of a command that succeeds."""
    done = run(world, *arguments, "--json")
    assert done.exit_code == 0, done.exception
    return cast("dict[str, Any]", json.loads(done.stdout))


def test_info_counts_what_waits_and_says_how_long_and_who_works(queue_world: QueueWorld) -> None:
    queue_world.admit_one_by_one(7, 3)
    queue_world.admit_together(8, 9)
    later = queue_world.now_ms() + 200
    until(lambda: queue_world.now_ms() > later)
    empty = document(queue_world, "info")
    assert (empty["queued"], empty["waiting"], empty["started"]) == (2, 2, 0)
    assert empty["oldestSeconds"] >= 0.2
    assert "No worker takes jobs" in "".join(empty["warnings"])

    worker = queue_world.worker(batch_jobs_max=1)
    batch = take(worker)
    register(queue_world.redis, "ours", betcore="1")
    register(queue_world.redis, "alien\n", hostname="web-\x1b[31m")
    busy = document(queue_world, "info")
    assert (busy["queued"], busy["waiting"], busy["started"]) == (1, 2, 1)
    kinds = {row["name"]: row["kind"] for row in busy["workers"]}
    assert kinds == {"ours": "betcore", "alien\N{REPLACEMENT CHARACTER}": "foreign"}
    assert "delays bets" in "".join(busy["warnings"])

    assert finish(worker, batch, failing=[batch.jobs[0].id])
    one_job_more = document(queue_world, "info")
    assert (one_job_more["queued"], one_job_more["waiting"]) == (2, 0)
    while (batch := take(worker)).jobs:
        assert finish(worker, batch)
    done = document(queue_world, "info")
    assert (done["queued"], done["started"], done["finished"], done["failed"]) == (0, 0, 2, 1)
    assert done["oldestSeconds"] is None
    shown = run(queue_world, "info").stdout
    assert "finished             2" in shown
    assert "\x1b" not in shown


def register(redis: Redis, name: str, **fields: str) -> None:
    """A worker as RQ registers one."""
    common: dict[Any, Any] = {
        "birth": "2026-01-01T00:00:00.000000Z",
        "pid": "7",
        "version": "3.0.0",
    }
    redis.sadd("rq:workers:bets", f"rq:worker:{name}")
    redis.hset(f"rq:worker:{name}", mapping=common | fields)


def test_suspend_and_resume_are_those_of_rq_and_end_by_themselves_when_asked(
    queue_world: QueueWorld,
) -> None:
    queue_world.admit(Request())
    assert document(queue_world, "suspend") == {
        "queue": "bets",
        "suspended": True,
        "forSeconds": None,
    }
    assert queue_world.worker().take(time.time()) is None
    assert document(queue_world, "info")["suspended"]
    assert document(queue_world, "resume")["wasSuspended"]
    assert not document(queue_world, "resume")["wasSuspended"]

    document(queue_world, "suspend", "--for", "60")
    assert 50 < document(queue_world, "info")["suspendedForSeconds"] <= 60
    assert run(queue_world, "suspend", "--for", "0").exit_code == 2


def test_a_failed_job_runs_again_once_its_player_is_free(queue_world: QueueWorld) -> None:
    worker = queue_world.worker(batch_jobs_max=1)
    failed, *others = queue_world.admit_one_by_one(7, 3)
    assert finish(worker, take(worker), failing=[failed])
    batch = take(worker)  # the others, as one group
    assert ids(batch) == others

    assert document(queue_world, "requeue", failed)["requeued"] == 1

    assert take(worker).jobs == ()  # the player is held
    assert document(queue_world, "info")["queued"] == 1
    assert finish(worker, batch)
    worker.sweep()
    last = take(worker)
    assert ids(last) == [failed]
    assert finish(worker, last)
    assert queue_world.failed() == set()
    assert queue_world.under_way() == set()


def test_all_requeues_those_that_can_still_be_applied_and_counts_the_others(
    queue_world: QueueWorld,
) -> None:
    worker, redis = queue_world.worker(batch_jobs_max=300), queue_world.redis
    for account in range(1200):
        queue_world.admit(Request(account))
    failed = []
    while (batch := take(worker)).jobs:
        failed += ids(batch)
        assert finish(worker, batch, failing=ids(batch))
    for late in failed[:30]:
        redis.hset(f"rq:job:{late}", "times", "1+1")
    redis.delete(f"rq:job:{failed[30]}")

    assert document(queue_world, "requeue", "--all") == {
        "queue": "bets",
        "requeued": 1169,
        "left": 31,
    }
    assert queue_world.failed() == set(failed[:31])
    assert set(queue_world.queued()) == set(failed[31:])


@pytest.mark.parametrize(
    ("job_id", "said"),
    [
        ("nothing", "is not among the failed"),
        ("", "is not among the failed"),
        ("7-\x1b[31m\n", r"'7-\\N\{REPLACEMENT CHARACTER\}|not among the failed"),
        ("x" * 10_000, "is not among the failed"),
        ("late", "too late to be applied; repeat the bet with the same betId"),
        ("applied", "was applied"),
        ("foreign", "was not put on the queue by betcore"),
        ("gone", "is gone"),
    ],
)
def test_what_cannot_be_requeued_is_said_in_one_line(
    queue_world: QueueWorld, job_id: str, said: str
) -> None:
    redis, worker = queue_world.redis, queue_world.worker()
    names = ["late", "applied", "gone"]
    found = {name: queue_world.admit_one_by_one(place, 1)[0] for place, name in enumerate(names)}
    assert finish(worker, take(worker), failing=[found["late"], found["gone"]])
    redis.hset(f"rq:job:{found['late']}", "times", "1+1")
    redis.delete(f"rq:job:{found['gone']}")
    found["foreign"] = Queue("bets", connection=redis).enqueue("builtins.int").id
    redis.zadd("rq:failed:bets", dict.fromkeys([*found.values()], time.time() + 60))

    done = run(queue_world, "requeue", found.get(job_id, job_id))

    assert done.exit_code == 1
    assert isinstance(done.exception, NothingRequeued)
    assert said.split("|")[-1] in str(done.exception)
    assert "\n" not in str(done.exception)
    assert "\x1b" not in str(done.exception)


def test_nothing_to_requeue_and_a_redis_that_is_away_are_said(queue_world: QueueWorld) -> None:
    nothing = run(queue_world, "requeue", "--all")
    neither = run(queue_world, "requeue")
    both = run(queue_world, "requeue", "a", "--all")
    away = run(queue_world, "info", REDIS_URL="unix:///nowhere")
    unreadable = run(queue_world, "info", REDIS_URL="htp://x")

    assert "none has failed" in str(nothing.exception)
    assert "Name one failed job, or give --all." in str(neither.exception)
    assert "Name one failed job, or give --all." in str(both.exception)
    assert isinstance(away.exception, RedisError)
    assert "REDIS_URL cannot be read" in str(unreadable.exception)


def test_info_says_what_is_wrong_with_a_redis_that_cannot_be_used(queue_world: QueueWorld) -> None:
    redis = queue_world.redis
    redis.config_set("maxmemory", 100_000_000)
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        said = document(queue_world, "info")["trouble"]
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", 0)

    assert "maxmemory-policy allkeys-lru" in said


def test_watch_shows_it_again_until_it_is_interrupted(
    queue_world: QueueWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def interrupted(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("ops.commands.queue.time.sleep", interrupted)
    done = run(queue_world, "info", "--watch", "--json")

    assert done.exit_code == 0
    assert [json.loads(line)["queue"] for line in done.stdout.splitlines()] == ["bets"] * 2
