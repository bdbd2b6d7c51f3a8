"""The life of the same two jobs, one good and one bad, on stock RQ and on ours."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from redis import Redis
from rq import Queue
from rq.job import Job

from broker.codec import encode_command
from broker.keys import in_flight_field
from models.commands import PayInOut
from ops.logins import login_url
from tests.service.queue import rq_functions
from tests.service.queue.rq_shapes import Shape, shape
from tests.service.support.processes import Process, until
from tests.service.support.queue_world import QueueWorld, Request
from tests.service.support.world import World

WORKER = "the-worker"
_RQ_KEY_OF_WORKER = f"rq:worker:{WORKER}"


class Side(ABC):
    """One way to queue and run jobs; `life` is the same for both."""

    worker_class: str

    def __init__(self, world: World) -> None:
        self.world = world
        self.names = {WORKER: "<worker>"}  # what stands for an id in a shape

    @abstractmethod
    def enqueue(self, which: str) -> str:
        """Queue the `good` or the `bad` job; its id."""

    @abstractmethod
    def held(self) -> AbstractContextManager[None]:
        """Keep the good job from coming to its end."""

    def life(self) -> dict[str, Shape]:
        """What is in Redis when both jobs are queued, started, finished, failed, and at the end."""
        redis, shapes = self.world.redis, {}
        redis.flushall()
        good = self.enqueue("good")
        shapes["queued"] = self.shape()
        with self.process() as process:
            with self.held():
                self._until(process, lambda: is_shown_as_started(redis, good))
                shapes["started"] = self.shape()
            self._until(process, lambda: status(redis, good) == "finished" and self._is_idle(1))
            shapes["finished"] = self.shape()
            bad = self.enqueue("bad")
            self._until(process, lambda: status(redis, bad) == "failed" and self._is_idle(2))
            shapes["failed"] = self.shape()
        shapes["stopped"] = self.shape()
        return shapes

    def shape(self) -> Shape:
        """What is in Redis now."""
        return shape(self.world.redis, self.names)

    def process(self) -> Process:
        """A worker."""
        options = ("--name", WORKER, "--worker-class", self.worker_class, "--serializer", "json")
        urls = self.world.urls
        command = ("rq.cli", "worker", "bets", *options, "-u", urls.redis)
        # As the jobs say, and long enough for a slow machine to look at all that is kept.
        # Ours reads and writes the ledger, so it has a worker's login.
        url = login_url(urls.database, "worker")
        return Process(urls, *command, BETCORE_RESULT_TTL_SECONDS="60", DATABASE_URL=url)

    def _is_idle(self, after: int) -> bool:
        """Whether the worker is idle, and has counted so many jobs. Ours counts once per second."""
        fields = ("state", "successful_job_count", "failed_job_count")
        known: Any = self.world.redis.hmget(_RQ_KEY_OF_WORKER, fields)
        state, *counts = known
        return state == b"idle" and sum(int(count or 0) for count in counts) == after

    @staticmethod
    def _until(process: Process, holds: Callable[[], bool]) -> None:
        until(holds, lambda: process.output)


class Stock(Side):
    """RQ as it comes."""

    worker_class = "rq.SimpleWorker"

    def enqueue(self, which: str) -> str:
        queue = Queue("bets", connection=self.world.redis, serializer="json")
        function = {"good": rq_functions.wait_and_answer, "bad": rq_functions.fail}[which]
        settings: dict[str, Any] = {"result_ttl": 60, "failure_ttl": 86_400, "job_timeout": 5}
        job = queue.enqueue(function, {}, "", description="a bet", **settings)
        self.names[job.id] = f"<{which}>"
        return job.id

    @contextmanager
    def held(self) -> Iterator[None]:
        yield
        self.world.redis.rpush(rq_functions.GATE, "open")


class Ours(Side):
    """Jobs admitted by `admit.lua` and run by `BatchWorker`."""

    worker_class = "workers.worker.BatchWorker"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.player = world.open_session(world.provider(), "10")
        self.provider_id = world.provider_row(self.player.client)

    def enqueue(self, which: str) -> str:
        account = self.player.account_id
        place = (self.provider_id, self.player.session_id, account)
        good = PayInOut(*place, f"bet {which}", None, Decimal(1), Decimal(0), None)
        token = secrets.token_hex(16)
        payload = encode_command(good, token, "") if which == "good" else "[]"
        field = in_flight_field(self.provider_id, f"bet {which}") if which == "good" else ""
        request = Request(account, token=token, payload=payload, bet_field=field)
        id_ = request.command_id
        self.names |= {id_: f"<{which}>", request.nonce: "<nonce>", f"bet {token[:4]}": "a bet"}
        with QueueWorld(self.world.urls.redis, flush=False, result_ttl_seconds=60) as queue:
            queue.remember("a run")  # a gateway also tells RQ of the queue
            assert queue.admit(request) == "A"
        return id_

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the player's account."""
        with psycopg.connect(self.world.urls.database) as database:
            lock = "select from account where id = %s for update"
            database.execute(lock, [self.player.account_id])
            yield


def is_shown_as_started(redis: Redis, job_id: str) -> bool:
    """Whether RQ shows a job as the one that the worker runs. Ours says so when it renews."""
    shown: Any = redis.exists(f"{_RQ_KEY_OF_WORKER}:executions")
    return bool(shown) and status(redis, job_id) == "started"


def status(redis: Redis, job_id: str) -> str:
    """A job's status, as RQ reads it."""
    return Job.fetch(job_id, connection=redis, serializer="json").get_status().value
