"""One Redis and both sides of the queue on it, step by step, without processes or database."""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self, cast

from redis import Redis

from broker.batches import Batch, Batches, FinishedJob
from broker.scripts import common_arguments, source
from settings import Settings
from tests.service.support.processes import until

_UNDER_WAY = (
    "rq:queue:",
    "rq:deferred:",
    "rq:wip:",
    "rq:execution",
    "betcore:lane",
    "betcore:leases",
    "betcore:batch:",
    "betcore:returned",
)
#: Where tests note jobs about one bet.
FLIGHT = "betcore:flight:of a bet"
HOUR_MS = 3_600_000
ANSWER: dict[str, object] = {"code": 1, "balance": "9", "ids": ["1", "2"]}


@dataclass(frozen=True)
class Request:
    """What `admit.lua` is given of one request."""

    account: int | str = 7  # "" claims the nonce only
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))
    signature: bytes = bytes(32)
    stamp_ms: int | None = None  # None: a second ahead, so that an empty Redis admits it
    expires_ms: int | None = None  # None: a minute after the stamp
    budget_ms: int = 60_000
    data: str = '["bets.pay_in_out",null,[{},""],{}]'
    ahead: bool = False  # of the queue

    @property
    def job_id(self) -> str:
        """The id of the job it becomes."""
        return f"{self.account}-{self.token}"

    @property
    def nonce_key(self) -> str:
        """Where its nonce is kept."""
        return f"betcore:nonce:1:{self.nonce}"


class QueueWorld:
    """A Redis, emptied at the beginning, and what a gateway and workers do on it."""

    def __init__(self, url: str, *, flush: bool = True, **settings: Any) -> None:
        self.url = url
        self._flush = flush
        self.redis = Redis.from_url(url)
        self.settings = Settings(redis_url=url).model_copy(update=settings)
        # Jobs may wait for as long as a test likes, unless it is about that.
        self.wait_max_ms, self.jobs_max = 3_600_000, 1_000_000
        self.crowded = 0  # in thousandths, as the last admission said
        self._admit = self.redis.register_script(source("admit"))

    def __enter__(self) -> Self:
        if self._flush:
            self.redis.flushall()
        return self

    def __exit__(self, *_: object) -> None:
        self.redis.close()

    # Doing.

    def admit(self, *requests: Request) -> str:
        """Admit requests in one script; a letter for each."""
        arguments: list[Any] = [*common_arguments(self.settings.queue_name), 5, 60, 86_400]
        arguments += [self.wait_max_ms, self.jobs_max]
        now_ms = self.now_ms()
        for request in requests:
            stamp = now_ms + 1000 if request.stamp_ms is None else request.stamp_ms
            expires = stamp + 60_000 if request.expires_ms is None else request.expires_ms
            arguments += [request.nonce_key, request.signature, request.token, stamp, expires]
            arguments += [request.account, "a bet", request.data, request.budget_ms, ""]
            arguments += ["1" if request.ahead else ""]
        letters, self.crowded = cast("tuple[list[bytes], int]", self._admit(args=arguments))
        return b"".join(letters).decode()

    def admit_jobs(self, account: int, number: int, **fields: Any) -> list[str]:
        """Admit that many jobs of one account; their ids in order."""
        requests = [Request(account, **fields) for _ in range(number)]
        assert self.admit(*requests) == "A" * number
        return [request.job_id for request in requests]

    def remember(self, run_id: str) -> int:
        """Say which Redis this is, as a gateway does; since when it remembers, in ms."""
        self.born(run_id)
        return int(self.redis.hget("betcore:memory", "since") or 0)

    def born(self, run_id: str) -> int:
        """Say it likewise; when this memory began, in ms."""
        common = common_arguments(self.settings.queue_name)
        return cast("int", self.redis.eval(source("remember"), 0, *common, run_id))

    def worker(self, name: str = "worker", **settings: Any) -> Batches:
        """A worker's side of the queue."""
        configured = self.settings.model_copy(update=settings)
        return Batches(self.redis, configured, name, f"rq:worker:{name}")

    def pop_one(self) -> str:
        """Wait for one id as an idle worker does, which leaves it on the intermediate list."""
        moved: Any = self.redis.blmove("rq:queue:bets", "rq:queue:bets:intermediate", 1)
        return str(moved.decode())

    # Looking.

    def now_ms(self) -> int:
        """The time by Redis's clock."""
        seconds, micros = self.redis.time()
        return seconds * 1000 + micros // 1000

    def queued(self) -> list[str]:
        """The ids that wait to be taken: those that the sweep brought back, then RQ's queue."""
        lists = ("betcore:returned:bets", "rq:queue:bets")
        return [id_ for name in lists for id_ in decoded(self.redis.lrange(name, 0, -1))]

    def intermediate(self) -> list[str]:
        """The ids on RQ's intermediate list."""
        return decoded(self.redis.lrange("rq:queue:bets:intermediate", 0, -1))

    def deferred(self) -> set[str]:
        """The ids in RQ's deferred registry."""
        return set(decoded(self.redis.zrange("rq:deferred:bets", 0, -1)))

    def started(self) -> set[str]:
        """The ids in RQ's registry of started jobs."""
        entries = decoded(self.redis.zrange("rq:wip:bets", 0, -1))
        return {entry.partition(":")[0] for entry in entries}

    def failed(self) -> set[str]:
        """The ids in RQ's registry of failed jobs."""
        return set(decoded(self.redis.zrange("rq:failed:bets", 0, -1)))

    def lane(self, account: int) -> list[str]:
        """The ids in an account's lane, in order."""
        return decoded(self.redis.lrange(f"betcore:lane:{account}", 0, -1))

    def status(self, job_id: str) -> str | None:
        """A job's status, as RQ would read it."""
        status = cast("bytes | None", self.redis.hget(f"rq:job:{job_id}", "status"))
        return None if status is None else status.decode()

    def all_keys(self) -> set[str]:
        """Every key in Redis."""
        return set(decoded(self.redis.keys("*")))

    def contents(self) -> dict[str, object]:
        """Everything in Redis, serialised; equal before and after what changed nothing.

        But for the time: an admission notes it once a second.
        """
        found: dict[str, object] = {key: self.redis.dump(key) for key in self.all_keys()}
        memory: Any = self.redis.hgetall("betcore:memory")
        memory.pop(b"latest", None)
        return found | {"betcore:memory": memory}

    def under_way(self) -> set[str]:
        """The keys of unfinished work. None of them exists when there is no work."""
        return {key for key in self.all_keys() if key.startswith(_UNDER_WAY) or "executions" in key}


def wait_until_leases_end(world: QueueWorld) -> None:
    """Wait, by Redis's clock, until every lease has run out."""
    leases = cast(
        "list[tuple[bytes, float]]", world.redis.zrange("betcore:leases", 0, -1, withscores=True)
    )
    last = max((ends for _, ends in leases), default=0.0)
    until(lambda: world.now_ms() > last)


def set_back(world: QueueWorld, *others: str) -> None:
    """Make everything in Redis as it is once its clock was set back by an hour.

    What it wrote before is an hour ahead then. `others` are jobs in no lane.
    """
    redis = world.redis
    redis.hset("betcore:memory", "latest", world.now_ms() + HOUR_MS)
    for batch in decoded(redis.zrange("betcore:leases", 0, -1)):
        redis.zincrby("betcore:leases", HOUR_MS, batch)
    lanes = [decoded(redis.lrange(lane, 0, -1)) for lane in redis.smembers("betcore:lanes")]
    for id_ in [*others, *(id_ for lane in lanes for id_ in lane)]:
        for field_ in ("deadline", "queued_ms"):
            redis.hincrby(f"rq:job:{id_}", field_, HOUR_MS)
        if redis.zscore(FLIGHT, id_) is not None:
            redis.zincrby(FLIGHT, HOUR_MS, id_)
    for key in decoded(redis.smembers("rq:workers:bets")):
        redis.expire(key, redis.ttl(key) + HOUR_MS // 1000)


def take(worker: Batches, first: str = "") -> Batch:
    """Take a batch now; fails when RQ is suspended."""
    batch = worker.take(time.time(), first, "DeadlineExpired: too late.")
    assert batch is not None
    return batch


def finish(worker: Batches, batch: Batch, failing: Iterable[str] = ()) -> bool:
    """Finish a batch, its jobs answered, or failed where named."""
    ends = [
        FinishedJob(job.id, "", None if job.id in failing else ANSWER, "it failed")
        for job in batch.jobs
    ]
    return worker.finish(batch, ends, time.time())


def ids(batch: Batch) -> list[str]:
    """The ids of a batch, in its order."""
    return [job.id for job in batch.jobs]


def decoded(items: Any) -> list[str]:
    """What Redis answered as text."""
    return [item.decode() for item in items]
