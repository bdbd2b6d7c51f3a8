"""What the tests of the dashboard share: the dashboard as a process, and jobs made by stock RQ."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job

from embedded import temporary_servers
from tests.service.support.patience import COMMAND, SOON, START
from tests.source import ROOT

LOGIN = ("operator", "pass:wörd")
HTML = """<img src=x onerror="document.title='taken'">"""
REGISTRIES = ["queued", "scheduled", "deferred", "started", "finished", "failed", "canceled"]
SERVE = "from ops.dashboard import serve; from settings import Settings; serve(Settings())"


@dataclass(frozen=True)
class World:
    """A Redis with the jobs of `fill`, and a dashboard that shows it."""

    redis: Redis
    redis_url: str
    client: httpx.Client
    pid: int  # of the dashboard


@contextmanager
def dashboard_on_jobs() -> Iterator[World]:
    with (
        temporary_servers(postgres=False) as urls,
        Redis.from_url(urls.redis) as redis,
        started_dashboard(urls.redis) as (client, pid),
    ):
        fill(redis, urls.redis)
        yield World(redis, urls.redis, client, pid)


@contextmanager
def dashboard(redis_url: str) -> Iterator[httpx.Client]:
    """The dashboard in a process of its own, and a client that knows its login."""
    with started_dashboard(redis_url) as (client, _):
        yield client


@contextmanager
def started_dashboard(redis_url: str) -> Iterator[tuple[httpx.Client, int]]:
    """The same, with the id of the process."""
    port = free_port()
    with dashboard_process(redis_url, port) as process:
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                auth=LOGIN,
                follow_redirects=True,
                timeout=SOON,
            ) as client:
                wait_until(lambda: answers(client))
                yield client, process.pid
        finally:
            process.terminate()
            process.wait(START)


def dashboard_process(redis_url: str, port: int, password: str = LOGIN[1]) -> subprocess.Popen[str]:
    """`serve` as an operator starts it, with what it prints in `stderr`."""
    environment = os.environ | {
        "REDIS_URL": redis_url,
        "BETCORE_DASHBOARD_PORT": str(port),
        "BETCORE_DASHBOARD_USER": LOGIN[0],
        "BETCORE_DASHBOARD_PASSWORD": password,
    }
    return subprocess.Popen(
        [sys.executable, "-c", SERVE], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").is_success
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool], within_seconds: float = START) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def queue(redis: Redis, name: str) -> Queue:
    return Queue(name, connection=redis, serializer="json")


def fill(redis: Redis, redis_url: str) -> None:
    """Jobs in every state, made and run by stock RQ with its JSON serializer; some hold HTML."""
    bets = queue(redis, "bets")
    bets.enqueue("builtins.str", HTML, job_id="done", description=HTML, meta={"trace": HTML})
    for name, count in [("bets", 20), ("one", 1), ("all", 3)]:
        for number in range(count):
            queue(redis, name).enqueue(
                "builtins.int", HTML, job_id=f"{name}-bad-{number:02}", meta={"trace": "7f"}
            )
    run_stock_worker(redis_url, "bets", "one", "all")

    running = bets.enqueue("builtins.int", "1", job_id="running", description=HTML)
    for number in range(20):
        bets.enqueue("builtins.int", "1", job_id=f"waiting-{number:02}")
    bets.enqueue("builtins.int", "1", job_id="child", depends_on=[running])
    assert make_busy(redis, bets, "busy-worker") == running


def make_busy(redis: Redis, queue: Queue, name: str) -> Job:
    """Let a worker start the next job of the queue and not finish it."""
    worker = SimpleWorker([queue], name=name, connection=redis, serializer="json")
    worker.register_birth()  # type: ignore[no-untyped-call]  # RQ's
    job_id = queue.pop_job_id()
    assert job_id
    job = Job.fetch(job_id, connection=redis, serializer=queue.serializer)
    worker.prepare_execution(job)
    worker.prepare_job_execution(job)
    return job


def run_stock_worker(redis_url: str, *queues: str) -> None:
    """RQ's own worker until these queues are empty."""
    command = [sys.executable, "-m", "rq.cli", "worker", *queues, "--burst", "--url", redis_url]
    command += ["--worker-class", "rq.SimpleWorker", "--serializer", "json"]
    subprocess.run(command, check=True, capture_output=True, timeout=COMMAND)


def pages(redis: Redis) -> list[str]:
    """The path of every page and of its data."""
    paths = ["/", "/0/view/queues", "/0/view/workers", "/0/view/jobs"]
    paths += ["/0/data/queues.json", "/0/data/workers.json"]
    for registry in REGISTRIES:
        for part in ("8/asc/1", "8/dsc/2"):
            paths += [f"/0/{kind}/jobs/bets/{registry}/{part}" for kind in ("view", "data")]
            paths[-1] += ".json"
    for key in redis.scan_iter("rq:job:*"):
        if redis.type(key) == b"hash":
            job_id = key.decode().removeprefix("rq:job:")
            paths += [f"/0/view/job/{job_id}", f"/0/data/job/{job_id}.json"]
    return paths


def contents(redis: Redis) -> dict[bytes, bytes | None]:
    """All that Redis holds."""
    return {key: redis.dump(key) for key in redis.scan_iter()}
