"""The life of the same two jobs, one good and one bad, on stock RQ and on ours."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from redis import Redis
from rq import Queue
from rq.job import Job

from broker.codec import encode_job
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
                self._until(process, lambda: status(redis, good) == "started")
                shapes["started"] = self.shape()
            self._until(process, lambda: status(redis, good) == "finished" and self._is_idle())
            shapes["finished"] = self.shape()
            bad = self.enqueue("bad")
            self._until(process, lambda: status(redis, bad) == "failed" and self._is_idle())
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

    def _is_idle(self) -> bool:
        state: bytes | None = self.world.redis.hget(_RQ_KEY_OF_WORKER, "state")
        return state == b"idle"

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
        self.names[f"lane:{self.player.account_id}"] = "lane:<account>"

    def enqueue(self, which: str) -> str:
        place = (self.provider_id, self.player.session_id, self.player.account_id)
        good = PayInOut(*place, f"bet {which}", None, Decimal(1), Decimal(0), None)
        data = encode_job(good, "") if which == "good" else Request.data
        request = Request(self.player.account_id, data=data)
        self.names |= {request.job_id: f"<{which}>", request.nonce: "<nonce>"}
        with QueueWorld(self.world.urls.redis, flush=False) as queue:
            assert queue.admit(request) == "A"
        return request.job_id

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the player's account."""
        with psycopg.connect(self.world.urls.database) as database:
            lock = "select from account where id = %s for update"
            database.execute(lock, [self.player.account_id])
            yield


def status(redis: Redis, job_id: str) -> str:
    """A job's status, as RQ reads it."""
    return Job.fetch(job_id, connection=redis, serializer="json").get_status().value
