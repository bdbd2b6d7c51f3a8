"""One Redis and both sides of the queue on it, step by step, without processes or database."""

import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self, cast

from redis import Redis

from broker.batches import Batches
from broker.codec import decode_job, encode_command
from broker.ended import FinishedCommand
from broker.keys import command_id
from broker.scripts import common_arguments, job_arguments, source
from broker.taken import Batch
from models.commands import PayInOut
from settings import Settings
from tests.service.support.processes import until

_UNDER_WAY = (
    "rq:queue:",
    "rq:wip:",
    "rq:execution",
    "betcore:in_flight",
    "betcore:waiting",
    "betcore:parked",
    "betcore:leases",
    "betcore:returned",
)
_IN_FLIGHT = "betcore:in_flight"
#: Where tests note commands about one bet.
BET_FIELD = "1:a bet"
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
    payload: str | None = None  # None: a pay-in-out of the account
    reply_to: str = ""
    bet_field: str = ""  # where it is noted: "1:" and the id of its bet
    ahead: bool = False  # of the queue

    @property
    def command_id(self) -> str:
        """The id of its command, and of the job that carries only this one."""
        return command_id(self.account, self.token)

    def arguments(self, now_ms: int) -> list[Any]:
        """Its arguments of `admit.lua`."""
        stamp = now_ms + 1000 if self.stamp_ms is None else self.stamp_ms
        expires = stamp + 60_000 if self.expires_ms is None else self.expires_ms
        claim = [self.nonce_key, self.signature, self.token, stamp, expires]
        if self.account == "":
            return [*claim, "", "", "", "", 0, "", ""]
        bet_id = self.bet_field.partition(":")[2] or self.token
        bet = PayInOut(1, "a session", int(self.account), bet_id, stake=Decimal(1), win=Decimal(2))
        payload = self.payload or encode_command(bet, self.token, self.reply_to)
        command = [self.account, "pay-in-out", f"bet {self.token[:4]}", payload]
        return [*claim, *command, self.budget_ms, self.bet_field, "1" if self.ahead else ""]

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
        arguments: list[Any] = [*common_arguments(self.settings.queue_name)]
        arguments += [*job_arguments(self.settings), self.wait_max_ms, self.jobs_max]
        now_ms = self.now_ms()
        for request in requests:
            arguments += request.arguments(now_ms)
        letters, self.crowded = cast("tuple[list[bytes], int]", self._admit(args=arguments))
        return b"".join(letters).decode()

    def admit_one_by_one(self, account: int, number: int, **fields: Any) -> list[str]:
        """Admit that many commands of one account, each in a script of its own. Their ids in order.

        The first one is a job. The others wait for their player, unless it is free.
        """
        requests = [Request(account, **fields) for _ in range(number)]
        for request in requests:
            assert self.admit(request) == "A"
        return [request.command_id for request in requests]

    def admit_together(self, *accounts: int, **fields: Any) -> list[str]:
        """Admit a command per account in one script: one group. Their ids in order."""
        requests = [Request(account, **fields) for account in accounts]
        assert self.admit(*requests) == "A" * len(requests)
        return [request.command_id for request in requests]

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
        """Wait for an id as a worker of stock RQ, which leaves it on the intermediate list."""
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

    def queued_commands(self) -> list[str]:
        """The ids of the commands in the jobs of `queued`, in order. All of them must be ours."""
        return [id_ for job_id in self.queued() for id_ in self.carried(job_id)]

    def offers(self) -> list[str]:
        """The offers of idle workers."""
        return decoded(self.redis.lrange("betcore:idle:bets", 0, -1))

    def intermediate(self) -> list[str]:
        """The ids on RQ's intermediate list."""
        return decoded(self.redis.lrange("rq:queue:bets:intermediate", 0, -1))

    def holder(self, account: int | str) -> str | None:
        """The id of the job that holds a player."""
        held = cast("bytes | None", self.redis.hget(_IN_FLIGHT, str(account)))
        return None if held is None else held.decode().rstrip("+")

    def waiting(self, account: int) -> list[str]:
        """The ids of the commands that wait for their player, in order."""
        texts = decoded(self.redis.lrange(f"betcore:waiting:{account}", 0, -1))
        return [command_id(account, text.split("\n")[2]) for text in texts]

    def carried(self, job_id: str) -> list[str]:
        """The ids of the commands that a job carries, in order."""
        job: Any = self.redis.hmget(f"rq:job:{job_id}", "data", "accounts")
        data, accounts = job
        if data is None or accounts is None:
            return []
        found = zip(accounts.decode().split(), decode_job(data), strict=True)
        return [command_id(account, form[2]) for account, form in found]

    def under_way_of(self, account: int) -> list[str]:
        """The ids of a player's commands that have not ended, in the order of admission."""
        holder = self.holder(account)
        held = self.carried(holder) if holder else []
        return [id_ for id_ in held if id_.startswith(f"{account}-")] + self.waiting(account)

    def notes(self, field: str = BET_FIELD) -> dict[str, int]:
        """The commands noted under a bet, by id, with their deadlines (ms)."""
        return _read_notes(cast("bytes | None", self.redis.hget(_IN_FLIGHT, field)))

    def doubts(self, field: str = BET_FIELD) -> dict[str, int]:
        """The commands about a bet whose end nobody knows, likewise."""
        return _read_notes(cast("bytes | None", self.redis.get(f"betcore:doubt:{field}")))

    def started(self) -> set[str]:
        """The ids in RQ's registry of started jobs."""
        entries = decoded(self.redis.zrange("rq:wip:bets", 0, -1))
        return {entry.partition(":")[0] for entry in entries}

    def failed(self) -> set[str]:
        """The ids in RQ's registry of failed jobs."""
        return set(decoded(self.redis.zrange("rq:failed:bets", 0, -1)))

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

    What it wrote before is an hour ahead then. `others` are jobs that hold no player.
    """
    redis: Any = world.redis
    redis.hset("betcore:memory", "latest", world.now_ms() + HOUR_MS)
    for batch in decoded(redis.zrange("betcore:leases", 0, -1)):
        redis.zincrby("betcore:leases", HOUR_MS, batch)
    jobs = set(others)
    for field_, value in redis.hgetall(_IN_FLIGHT).items():
        if b":" in field_:
            redis.hset(_IN_FLIGHT, field_, _later(value))
            continue
        jobs.add(value.decode().rstrip("+"))
        waiting = f"betcore:waiting:{field_.decode()}"
        for place, text in enumerate(redis.lrange(waiting, 0, -1)):
            redis.lset(waiting, place, _later(text))
    for id_ in jobs:
        redis.hincrby(f"rq:job:{id_}", "queued_ms", HOUR_MS)
        redis.hset(f"rq:job:{id_}", "times", _later(redis.hget(f"rq:job:{id_}", "times") or b""))
    for key in decoded(redis.smembers("rq:workers:bets")):
        redis.expire(key, redis.ttl(key) + HOUR_MS // 1000)


def _read_notes(text: bytes | None) -> dict[str, int]:
    found = (note.partition(":") for note in (text or b"").decode().split())
    return {id_: sum(map(int, times.split("+"))) for times, _, id_ in found}


def _later(times: bytes) -> bytes:
    """All `since+budget` an hour later."""
    return re.sub(rb"(\d+)\+(\d+)", lambda m: b"%d+%s" % (int(m[1]) + HOUR_MS, m[2]), times)


def take(worker: Batches) -> Batch:
    """Take a batch now; fails when RQ is suspended."""
    batch = worker.take(time.time())
    assert batch is not None
    return batch


def offer(worker: Batches) -> None:
    """Find nothing, and leave an offer."""
    batch = worker.take(time.time(), offers=True)
    assert batch is not None
    assert batch.jobs == ()


def receive(worker: Batches) -> Batch:
    """Get the batch that somebody has made of the worker's offer."""
    batch = worker.wait(60)
    assert batch is not None
    return batch


def admitted(world: QueueWorld, worker: Batches) -> Batch:
    """The batch that an idle worker is handed of a command that is admitted now."""
    group = world.admit_together(7)
    batch = receive(worker)
    assert ids(batch) == group
    return batch


def finish(worker: Batches, batch: Batch, failing: Iterable[str] = ()) -> bool:
    """Finish a batch, its commands answered, or failed where named. False: its lease was lost."""
    ends = [ended(command.id, failing=command.id in failing) for command in batch.commands]
    return worker.finish(batch, ends, time.time()) is not None


def ended(id_: str, *, failing: bool = False, reply_to: str = "") -> FinishedCommand:
    """How a command ended."""
    if failing:
        return FinishedCommand(id_, reply_to, None, "it failed", landed=False)
    return FinishedCommand(id_, reply_to, ANSWER)


def ids(batch: Batch) -> list[str]:
    """The ids of the commands of a batch, in its order."""
    return [command.id for command in batch.commands]


def decoded(items: Any) -> list[str]:
    """What Redis answered as text."""
    return [item.decode() for item in items]
