"""RQ's queue for operators: state, suspend, resume, requeue. Nothing is ever unpickled.

RQ's own command line loads jobs and workers for this, and reads what it finds as pickle.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from redis import Redis
from redis.exceptions import RedisError

from broker.bounded import BoundedParser
from broker.cash import QueueUnavailable
from broker.conditions import UnfitRedis
from broker.keys import RQ
from broker.permissions import require_fit
from broker.redis_url import connect_redis, no_retry
from broker.registered import Attendance, printable, read_attendance
from broker.scripts import common_arguments, source
from models.errors import BetcoreError
from settings import Settings

_SUSPENDED = f"{RQ}:suspended"
_WITHIN_SECONDS = 5.0
_JOBS_PER_SCRIPT = 500
_REQUEUED = b"Q"
_REFUSALS: Final = {
    b"N": "is not among the failed jobs of queue {queue!r}",
    b"G": "is gone: nothing is left to run",
    b"X": "was not put on the queue by betcore, whose workers would only fail it again",
    b"A": "was applied: there is nothing to do",
    b"L": "is too late to be applied; repeat the bet with the same betId instead",
}


class NothingRequeued(BetcoreError):  # noqa: N818
    """No job was requeued. The text says why."""


@dataclass(frozen=True, slots=True)
class State:
    """The state of the queue at one moment."""

    queued: int  # jobs, each with one command or many
    commands: int  # in the queued jobs; an estimate if there are very many
    waiting: int  # commands behind others of their player, in no job yet
    started: int
    finished: int  # kept for some seconds
    failed: int
    oldest_seconds: float | None  # how long the first job or command has waited
    suspended: bool
    suspended_for_seconds: float | None  # None: until it is resumed
    attendance: Attendance
    trouble: str  # why this Redis cannot be used, in one line; "" if it can
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Figures:
    """The queue and its Redis in numbers, as docs/METRICS.md describes them."""

    commands: int  # in the jobs on the queue
    oldest_seconds: float
    waiting: int  # commands behind others of their player, in no job yet
    held: int  # players
    workers: Mapping[str, int]  # by RQ's state
    memory_bytes: int
    evicts: bool


class RqQueue:
    """One queue in one Redis. Every method raises RedisError if Redis does not answer."""

    def __init__(self, redis: Redis, name: str) -> None:
        self.name = name
        self._redis = redis

    def state(self) -> State:
        """Return the queue's state: counts, workers, and what is wrong."""
        answer = self._run("state")
        until_ms, queued, waiting, started, finished, failed, oldest_ms, commands, _ = answer
        attendance = read_attendance(self._run("workers"))
        trouble, warnings = "", []
        try:
            warnings = list(require_fit(self._redis, self.name).warnings)
        except UnfitRedis as error:
            trouble = str(error)
        if not attendance.workers:
            warnings.append(f"No worker takes jobs of queue {self.name!r}: start `betcore worker`.")
        if foreign := attendance.warning(self.name):
            warnings.append(foreign)
        return State(
            queued=queued,
            commands=commands,
            waiting=waiting,
            started=started,
            finished=finished,
            failed=failed,
            oldest_seconds=None if oldest_ms < 0 else oldest_ms / 1000,
            suspended=until_ms != -2,
            suspended_for_seconds=None if until_ms < 0 else until_ms / 1000,
            attendance=attendance,
            trouble=trouble,
            warnings=warnings,
        )

    def figures(self) -> Figures:
        """Return what metrics tell of the queue and its Redis."""
        _, _, waiting, _, _, _, oldest_ms, commands, held = self._run("state")
        memory = self._redis.info("memory")
        states = Counter(worker.state for worker in read_attendance(self._run("workers")).workers)
        return Figures(
            commands=commands,
            oldest_seconds=max(0.0, oldest_ms / 1000),
            waiting=waiting,
            held=held,
            workers=states,
            memory_bytes=int(memory["used_memory"]),
            evicts=bool(memory["maxmemory"]) and memory["maxmemory_policy"] != "noeviction",
        )

    def suspend(self, seconds: int | None) -> None:
        """Admit and process nothing, for `seconds` or until `resume`."""
        self._redis.set(_SUSPENDED, 1, ex=seconds)

    def resume(self) -> bool:
        """Continue. Returns False if the queue was not suspended."""
        return bool(self._redis.delete(_SUSPENDED))

    def failed(self, jobs_max: int) -> list[str]:
        """The ids of failed jobs, the ones that are kept longest last. Any text may be among them.

        RQ forgets the others first.
        """
        ids = self._redis.zrange(f"{RQ}:failed:{self.name}", 0, jobs_max - 1)
        return [printable(one) for one in cast("list[bytes]", ids)]

    def requeue(self, job_id: str) -> None:
        """Put one failed job back on the queue. Raises NothingRequeued, with the reason."""
        (letter,) = self._run("requeue", job_id)
        if letter != _REQUEUED:
            why = _REFUSALS[letter].format(queue=self.name)
            raise NothingRequeued(f"Job {printable(job_id)!r} {why}.")

    def requeue_all(self) -> dict[str, int]:
        """Put every failed job back that can still be applied.

        Returns how many were put back, and how many are left.

        Raises NothingRequeued if there is none.
        """
        letters: Counter[bytes] = Counter()
        for ids in self._failed(lambda: letters.total() - letters[_REQUEUED]):
            letters.update(self._run("requeue", *ids))
        left = letters.total() - letters[_REQUEUED]
        if not letters[_REQUEUED]:
            raise NothingRequeued(
                f"No failed job of queue {self.name!r} can be requeued: "
                + (f"{left} failed, and it is too late for them." if left else "none has failed.")
            )
        return {"requeued": letters[_REQUEUED], "left": left}

    def _failed(self, left_before: Any) -> Iterator[list[bytes]]:
        """Yield the ids of failed jobs in batches. Those that were left are skipped."""
        key = f"{RQ}:failed:{self.name}"
        while True:
            first = left_before()
            ids = self._redis.zrange(key, first, first + _JOBS_PER_SCRIPT - 1)
            if not ids:
                return
            yield cast("list[bytes]", ids)

    def _run(self, script: str, *arguments: bytes | str) -> Sequence[Any]:
        common = common_arguments(self.name)
        return cast("Sequence[Any]", self._redis.eval(source(script), 0, *common, *arguments))


@contextmanager
def reachable_queue(settings: Settings) -> Iterator[RqQueue]:
    """Like `queue_of`, for a process that goes on. Raises QueueUnavailable if Redis is away."""
    try:
        with queue_of(settings) as queue:
            yield queue
    except RedisError as error:
        raise QueueUnavailable(f"Redis cannot be asked: {error}") from error


@contextmanager
def queue_of(settings: Settings) -> Iterator[RqQueue]:
    """Open the queue that the settings name."""
    with connect_redis(
        settings.redis_url,
        socket_connect_timeout=settings.redis_connect_within_seconds,
        socket_timeout=_WITHIN_SECONDS,
        retry=no_retry(),
        parser_class=BoundedParser,
    ) as redis:
        yield RqQueue(redis, settings.queue_name)
