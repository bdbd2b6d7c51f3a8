"""What the dashboard promises to show: all that RQ holds, and what is wrong with the queue."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from rq import Queue
from rq.results import Result

from embedded import start_redis
from ops.dashboard import DashboardError, create_app
from ops.dashboard.reading import WouldWriteError, connect
from ops.dashboard.web import WSGI_THREADS
from tests.service.support.dashboard_world import (
    HTML,
    LOGIN,
    World,
    answers,
    contents,
    dashboard,
    dashboard_on_jobs,
    dashboard_process,
    free_port,
    pages,
    wait_until,
)
from tests.service.support.patience import COMMAND, START


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with dashboard_on_jobs() as world:
        yield world


def test_counts_a_busy_worker_and_a_dependent_job_are_shown(world: World) -> None:
    queues = {
        queue["name"]: queue for queue in world.client.get("/0/data/queues.json").json()["queues"]
    }
    states = ["started", "finished", "failed", "deferred", "scheduled", "canceled"]
    counts = [queues["bets"][f"{state}_job_registry_count"] for state in states]
    assert [queues["bets"]["count"], *counts] == [20, 1, 1, 20, 1, 0, 0]

    (worker,) = world.client.get("/0/data/workers.json").json()["workers"]
    assert (worker["name"], worker["state"]) == ("busy-worker", "busy")
    assert worker["current_job"]["job_id"] == "running"

    child = world.client.get("/0/data/job/child.json").json()
    assert (child["status"], child["depends_on"]) == ("deferred", ["running"])
    done = world.client.get("/0/data/job/done.json").json()
    assert (done["status"], done["result"], done["description"]) == ("finished", HTML, HTML)
    failed = world.client.get("/0/data/job/bets-bad-00.json").json()
    assert "'<img src=x onerror=" in failed["exc_info"]


def test_the_tab_jobs_opens_the_first_queue_that_there_is(world: World) -> None:
    assert 'title="Queue name" value="all"' in world.client.get("/0/view/jobs").text


@pytest.mark.parametrize("registry", ["queued", "failed"])
@pytest.mark.parametrize("order", ["asc", "dsc"])
def test_the_pages_of_a_list_show_every_job_once(world: World, registry: str, order: str) -> None:
    prefix = {"queued": "waiting", "failed": "bets-bad"}[registry]
    jobs = [f"{prefix}-{number:02}" for number in range(20)]
    if order == "dsc":
        jobs.reverse()

    for page in range(1, 8):
        answer = world.client.get(f"/0/data/jobs/bets/{registry}/3/{order}/{page}.json").json()
        assert [job["id"] for job in answer["jobs"]] == jobs[3 * page - 3 : 3 * page]

    assert world.client.get(f"/0/data/jobs/bets/{registry}/3/{order}/8.json").json()["jobs"] == []


@pytest.mark.parametrize(
    "path", ["3/asc/0", "0/asc/1", "201/asc/1", "x/asc/1", "3/up/1", "3/asc/x"]
)
def test_a_page_that_cannot_be_is_404(world: World, path: str) -> None:
    assert world.client.get(f"/0/data/jobs/bets/queued/{path}.json").status_code == 404


@pytest.mark.parametrize(
    "path", ["/1/view/queues", "/0/data/jobs/bets/other/3/asc/1.json", "/0/view/job/nothing"]
)
def test_a_page_of_nothing_is_404(world: World, path: str) -> None:
    assert world.client.get(path).status_code == 404


def test_looking_at_every_page_changes_nothing_in_redis(world: World) -> None:
    # What RQ would tidy up while it reads: a lease that ran out, an id without its job, a worker
    # and an execution that are gone.
    world.redis.zadd("rq:wip:bets", {"running:0123": 1})
    world.redis.zadd("rq:failed:bets", {"old": 1})
    world.redis.rpush("rq:queue:bets", "lost")
    world.redis.sadd("rq:workers", "rq:worker:gone")
    world.redis.sadd("rq:worker:busy-worker:executions", "running:gone")
    before = contents(world.redis)

    for path in pages(world.redis):
        assert world.client.get(path).status_code == 200, path

    assert contents(world.redis) == before
    world.redis.srem("rq:workers", "rq:worker:gone")
    world.redis.lrem("rq:queue:bets", 0, "lost")
    world.redis.zrem("rq:failed:bets", "old")


def test_a_page_that_would_clean_up_fails_instead(world: World) -> None:
    world.redis.zadd("rq:wip:cleanup", {"running:0123": 1})
    reader = connect(world.redis_url)

    with pytest.raises(WouldWriteError):
        _ = Queue("cleanup", connection=reader, serializer="json").started_job_registry.count
    reader.connection_pool.disconnect()

    assert world.redis.zcard("rq:wip:cleanup") == 1


def test_every_page_says_that_the_queue_is_suspended_and_who_else_works_on_it(
    world: World,
) -> None:
    world.redis.sadd("rq:workers:bets", "rq:worker:alien")
    born: dict[Any, Any] = {"birth": "now", "hostname": HTML, "pid": 17, "version": "3.0.0"}
    world.redis.hset("rq:worker:alien", mapping=born)
    world.redis.set("rq:suspended", 1)

    for path in pages(world.redis):
        if not path.endswith(".json"):
            page = world.client.get(path).text
            assert "The queue is suspended" in page
            assert "&#39;alien&#39; (host &lt;img" in page
            assert HTML not in page
    told = world.client.get("/notices.json").json()["notices"]
    assert "betcore queue resume" in told[0]
    assert "Redis keeps no append-only file" in told[1]
    assert "'alien'" in told[2]

    world.redis.delete("rq:suspended", "rq:worker:alien")
    world.redis.srem("rq:workers:bets", "rq:worker:alien")
    assert "suspended" not in str(world.client.get("/notices.json").json())


def test_pages_share_a_few_connections(world: World) -> None:
    for path in pages(world.redis):
        world.client.get(path)

    # One of them is this test's.
    assert len(world.redis.client_list()) <= WSGI_THREADS + 1


def test_a_job_that_cannot_be_read_is_listed_without_what_it_holds(world: World) -> None:
    foreign = Queue("foreign", connection=world.redis)  # RQ's default: pickle
    job = foreign.enqueue("builtins.int", job_id="foreign", meta={"a": 1}, description="by hand")
    Result.create(job, Result.Type.SUCCESSFUL, 60, return_value=1)

    (listed,) = world.client.get("/0/data/jobs/foreign/queued/8/asc/1.json").json()["jobs"]
    shown = world.client.get("/0/data/job/foreign.json").json()

    assert (listed["id"], listed["description"]) == ("foreign", "by hand")
    assert (shown["status"], shown["result"], shown["metadata"]) == ("queued", None, "{}")


def test_while_redis_is_away_pages_say_so_and_then_recover(tmp_path: Path) -> None:
    def status(path: str) -> int:
        return client.get(path).status_code

    with start_redis(tmp_path, durable=False) as server, dashboard(server.url) as client:
        assert status("/") == 200
        server.stop()

        assert "Redis does not answer" in client.get("/").text
        assert "Redis does not answer" in client.get("/0/data/workers.json").json()["error"]
        assert {status(path) for path in ["/", "/0/view/jobs", "/0/data/queues.json"]} == {503}
        assert status("/healthz") == 200

        with start_redis(tmp_path, durable=False):
            assert status("/") == status("/0/data/workers.json") == 200


def test_a_redis_that_stands_still_holds_no_page_for_long(world: World) -> None:
    def ask() -> httpx.Response:
        return world.client.get("/0/data/workers.json", timeout=8)

    pid = world.redis.info("server")["process_id"]
    assert ask().status_code == 200
    os.kill(pid, signal.SIGSTOP)
    try:
        # At once: all but one need a connection made after the workers were looked at.
        with ThreadPoolExecutor(WSGI_THREADS) as pool:
            asked = [pool.submit(ask) for _ in range(WSGI_THREADS)]
            assert {answer.result().status_code for answer in asked} == {503}
    finally:
        os.kill(pid, signal.SIGCONT)

    assert ask().status_code == 200


def test_it_starts_without_redis_and_stops_on_sigterm() -> None:
    port = free_port()
    with (
        dashboard_process("redis://127.0.0.1:1/0", port) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=LOGIN) as client,
    ):
        wait_until(lambda: answers(client))
        assert client.get("/").status_code == 503
        process.send_signal(signal.SIGTERM)

        assert process.wait(START) == 0


def test_a_port_in_use_is_said(world: World) -> None:
    port = world.client.base_url.port or 0
    with dashboard_process(world.redis_url, port) as process:
        _, said = process.communicate(timeout=COMMAND)

    assert process.returncode == 1
    assert f"CannotListen: Port {port} of 127.0.0.1 is taken by another program." in said


@pytest.mark.parametrize(
    ("redis_url", "user", "password", "said"),
    [
        ("redis://localhost", "operator", "", "BETCORE_DASHBOARD_PASSWORD"),
        ("redis://localhost", "a:b", "secret", "BETCORE_DASHBOARD_USER"),
        ("redis://localhost", "", "secret", "BETCORE_DASHBOARD_USER"),
        ("", "operator", "secret", "REDIS_URL"),
        ("http://:hidden@localhost", "operator", "secret", "REDIS_URL"),
    ],
)
def test_what_cannot_be_served_is_said_at_the_start(
    redis_url: str, user: str, password: str, said: str
) -> None:
    with pytest.raises(DashboardError, match=said) as error:
        create_app(redis_url, user, password)

    assert "hidden" not in str(error.value)
