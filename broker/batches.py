"""The worker's side of the queue: take a batch, keep its lease, finish it, keep lanes moving."""

import zlib
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from broker.codec import encode_result
from broker.keys import token_of
from broker.registered import Attendance, read_attendance
from broker.scripts import common_arguments, source
from models.deadline import Deadline
from settings import Settings

if TYPE_CHECKING:
    from redis import Redis

#: RQ moves a started job elsewhere when its score has passed. It does so job by job, outside the
#: lanes. The lease recovers our jobs instead, so RQ gets a time that never comes.
_STARTED_TTL_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class TakenJob:
    """A job of a batch.

    Its deadline is counted from before the take was sent, so it is never later than Redis's.
    """

    id: str
    data: bytes
    deadline: Deadline
    flight_key: bytes = b""  # where it is noted that it may still change its bet; empty: nowhere


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs taken together under one lease."""

    id: str
    started_at: float  # Unix time
    jobs: tuple[TakenJob, ...]
    #: Jobs past their deadline, which the take ended: id and data of the first ones, and the number
    #: of all.
    expired: tuple[tuple[str, bytes], ...] = ()
    expired_count: int = 0


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """How a job ended. A `result` of None means that it failed; `failure` says why."""

    id: str
    reply_to: str
    result: dict[str, object] | None
    failure: str = ""
    expired: bool = False  # too late to be applied; RQ keeps it only briefly
    answer: dict[str, object] | None = None  # the answer to the caller of a failed job


class Batches:
    """Takes, renews and finishes batches for one worker on one queue.

    Every method raises redis.exceptions.RedisError when Redis cannot be reached.
    """

    def __init__(
        self, connection: "Redis", settings: Settings, worker: str, worker_key: str
    ) -> None:
        self._settings = settings
        self._worker = (worker, worker_key)
        self._take = connection.register_script(source("take"))
        self._finish = connection.register_script(source("finish"))
        self._renew = connection.register_script(source("renew"))
        self._sweep = connection.register_script(source("sweep"))
        self._workers = connection.register_script(source("workers"))
        self._tidy = connection.register_script(source("tidy"))
        self._lease_ms = int(settings.lease_seconds * 1000)

    def take(self, now: float, first: str = "", expired: str = "") -> Batch | None:
        """Take at most `batch_jobs_max` jobs. `first` is an id on the intermediate list.

        `now` is Unix time. `expired` is the failure text of a job past its deadline. Returns None
        while RQ is suspended.
        """
        batch = uuid4().hex
        arguments = [*self._common(), *self._worker, batch, self._settings.batch_jobs_max]
        arguments += [self._lease_ms, _STARTED_TTL_SECONDS, first, repr(now)]
        # After a long time without workers thousands may have expired, and none of them had an
        # effect.
        arguments += [self._settings.result_ttl_seconds, *_failure(expired)]
        sent_at = Deadline.within(0)
        rows = self._take(args=arguments)
        if rows is None:
            return None
        jobs = [
            TakenJob(id_.decode(), data, sent_at.later(int(ms) / 1000), flight_key)
            for id_, data, ms, flight_key in rows
            if ms != b""
        ]
        late = rows[len(jobs) :]
        named = tuple((row[0].decode(), row[1]) for row in late)
        return Batch(batch, now, tuple(jobs), named, int(late[0][3]) if late else 0)

    def renew(self, batch_id: str) -> bool:
        """Prolong a lease. Returns False when it was lost."""
        return bool(self._renew(args=[*self._common(), batch_id, self._lease_ms]))

    def finish(self, batch: Batch, jobs: Sequence[FinishedJob], now: float) -> bool:
        """Record results, send replies and let lanes go on. Returns False when the lease was lost.

        Then no job is touched: the worker that has the jobs now will answer. A repeated call is
        harmless.
        """
        settings = self._settings
        arguments = [*self._common(), *self._worker, batch.id, batch.jobs[0].id]
        arguments += [repr(batch.started_at), repr(now), repr(now - batch.started_at)]
        arguments += [settings.reply_stream_messages_max, settings.reply_stream_ttl_seconds]
        replies = _replies(jobs)
        arguments += [len(replies)]
        for stream, payload in replies.items():
            arguments += [stream, payload]
        flight_keys = {job.id: job.flight_key for job in batch.jobs}
        for job in jobs:
            arguments += [job.id, flight_keys[job.id]]
            if job.result is None:
                kept = settings.result_ttl_seconds if job.expired else settings.failure_ttl_seconds
                arguments += [*_failure(job.failure), kept]
            else:
                result = b64encode(encode_result(job.result).encode())
                arguments += ["1", result, settings.result_ttl_seconds]
        return bool(self._finish(args=arguments))

    def sweep(self) -> int:
        """Return lost batches and queue heads that nobody holds.

        Returns how many heads were queued.
        """
        return int(self._sweep(args=self._common()))

    def attendance(self) -> Attendance:
        """Who works on the queue, and whether RQ is suspended."""
        return read_attendance(self._workers(args=self._common()))

    def tidy(self) -> int:
        """Undo what foreign workers wrote about jobs that were applied.

        Returns how many jobs it changed.
        """
        return int(self._tidy(args=self._common()))

    def _common(self) -> list[str | bytes | int]:
        return [*common_arguments(self._settings.queue_name)]


def _replies(jobs: Iterable[FinishedJob]) -> dict[str, str]:
    """One message per stream: `[[token, result or null], …]`."""
    by_stream: dict[str, list[object]] = defaultdict(list)
    for job in jobs:
        if job.reply_to:
            by_stream[job.reply_to].append((token_of(job.id), job.result or job.answer))
    return {stream: encode_result(results) for stream, results in by_stream.items()}


def _failure(text: str) -> tuple[bytes, bytes]:
    """A failure's text in RQ's two forms: compressed, and the compressed bytes in base64."""
    compressed = zlib.compress(text.encode())
    return compressed, b64encode(compressed)
