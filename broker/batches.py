"""The worker's side of the queue: take a batch, keep its lease, finish it, keep groups moving."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError

from broker.conditions import refused
from broker.dedicated import DedicatedConnection, Script
from broker.ended import Counts, FinishedCommand, end_arguments, messages_of
from broker.handing import Offers
from broker.registered import Attendance, read_attendance
from broker.scripts import common_arguments, job_arguments, source
from broker.taken import Batch, read_batch
from models.deadline import Deadline
from settings import Settings

if TYPE_CHECKING:
    from redis import Redis

#: RQ moves a started job elsewhere when its score has passed. It does so job by job, whoever waits
#: for its players. The lease recovers our jobs instead, so RQ gets a time that never comes.
_STARTED_TTL_SECONDS = 24 * 3600
#: How long RQ shows a worker that was killed.
WORKER_TTL_SECONDS = 30
_STREAMS_MAX = 1000


class Batches:
    """Takes, renews and finishes batches for one worker on one queue.

    One thread takes, finishes, waits and withdraws. Any thread may call the other methods.

    Every method raises redis.exceptions.RedisError when Redis cannot be reached.
    """

    def __init__(
        self, connection: "Redis", settings: Settings, worker: str, worker_key: str
    ) -> None:
        self._settings = settings
        self._worker = (worker, worker_key)
        self._dedicated = DedicatedConnection(connection)
        self._take, self._finish = Script(source("take")), Script(source("finish"))
        self._renew = connection.register_script(source("renew"))
        self._sweep = connection.register_script(source("sweep"))
        self._workers = connection.register_script(source("workers"))
        self._tidy = connection.register_script(source("tidy"))
        self._lease_ms = int(settings.lease_seconds * 1000)
        self._connection = connection
        queue = settings.queue_name
        self._offers = Offers(connection, queue, worker, self._lease_ms, _STARTED_TTL_SECONDS)
        self._counts = Counts()
        self.redis_ready = True  # whether the last call was answered
        self._streams_expire: dict[str, float] = {}  # until when they need no new ttl

    def prepare(self) -> None:
        """Test whether this worker may listen for batches. Raises UnfitRedis if it may not."""
        try:
            with self._offering():
                self._offers.new()
        except ResponseError as error:
            raise refused(error) from error

    def take(self, now: float, *, shows: bool = False, offers: bool = False) -> Batch | None:
        """Take jobs with about `batch_jobs_max` commands. The batch has no jobs if none waits.

        If none waits and the worker `offers`, `wait` gets the next one. `now` is Unix time. RQ is
        told that the worker is busy if `shows`. Returns None while RQ is suspended, and a job waits
        or the worker offers.
        """
        batch = os.urandom(16).hex()
        arguments = [*self._common(), *job_arguments(self._settings), *self._worker, batch]
        arguments += [self._settings.batch_jobs_max, self._lease_ms, _STARTED_TTL_SECONDS]
        offer, unheard = self._offers.open, None
        arguments += ["1" if shows else "", offer]
        try:
            offer = (offer or self._offers.new()) if offers else ""  # the same one, left anew
        except RedisError as error:  # too many connections, perhaps: it still does what waits
            unheard = error
        with self._offering():
            sent_at = Deadline.within(0)
            taken = self._dedicated.run(self._take, *arguments, offer)
            if taken == 0:
                return self._offers.accepted() or Batch(batch, now)
            found = self._read(batch, now, sent_at, taken, offers=bool(offer))
        if unheard is not None and found is not None and not found.jobs:
            raise unheard
        return found

    def wait(self, seconds: float) -> Batch | None:
        """Wait until somebody accepts the worker's offer. Returns None if nobody does."""
        with self._offering():
            return self._offers.receive(seconds)

    def withdraw(self) -> Batch | None:
        """Take the worker's offer back. Returns the batch if somebody has accepted it before."""
        if not self._offers.open:
            return None
        with self._offering():
            if self._dedicated.call("LREM", self._offers.key, 0, self._offers.open):
                self._offers.close()
                return None
            return self._offers.accepted()

    def renew(self, batch: Batch) -> bool:
        """Prolong a lease, and let RQ show the batch. Returns False when it was lost."""
        arguments = [*self._common(), batch.id, self._lease_ms, *self._worker]
        return bool(self._renew(args=[*arguments, batch.jobs[0].id, repr(batch.started_at)]))

    def finish(
        self,
        batch: Batch,
        ends: Iterable[FinishedCommand],
        now: float,
        *,
        take: bool = False,
        offers: bool = False,
    ) -> Batch | None:
        """Record results, send replies, free the players, and `take` the next batch.

        The next batch has no jobs if none is on the queue, RQ is suspended, or `take` is false. If
        none is on the queue and the worker `offers`, `wait` gets the next one.

        Returns None when the lease was lost. Then no job is touched: the worker that has the jobs
        now will answer. A repeated call is harmless, except that it may take a batch whose lease
        runs out.
        """
        settings, following = self._settings, os.urandom(16).hex()
        arguments = [*self._common(), *job_arguments(settings), *self._worker]
        arguments += [batch.id, batch.jobs[0].id]
        arguments += [repr(batch.started_at), repr(now), settings.reply_stream_messages_max]
        arguments += [following, settings.batch_jobs_max if take else 0]
        offers = offers and take and self._offers.listening  # otherwise `take` tries to listen
        arguments += [self._lease_ms, _STARTED_TTL_SECONDS]
        arguments.append(self._offers.new() if offers else "")
        of_id = {end.id: end for end in ends}
        replies = self._replies(of_id.values())
        arguments += end_arguments(batch, of_id, replies, settings)
        with self._offering():
            sent_at = Deadline.within(0)
            answer: Any = self._dedicated.run(self._finish, *arguments)
            if answer == 0:
                return None
            self._sent(replies)
            self._counts.count(batch, of_id, now)
            if isinstance(answer, list):
                return self._read(following, now, sent_at, answer, offers=offers)
            return Batch(following, now)

    def report(self) -> None:
        """Add to the counts that RQ shows of this worker what has ended since the last report.

        If it raises, the next report adds it.
        """
        counts = self._counts
        if counts.succeeded or counts.failed:
            _, key = self._worker
            with self._connection.pipeline(transaction=False) as report:
                if counts.succeeded:
                    report.hincrby(key, "successful_job_count", counts.succeeded)
                if counts.failed:
                    report.hincrby(key, "failed_job_count", counts.failed)
                report.hincrbyfloat(key, "total_working_time", counts.seconds)
                report.expire(key, WORKER_TTL_SECONDS)
                report.execute()
        self._counts = Counts()

    def _replies(self, ends: Iterable[FinishedCommand]) -> list[tuple[str, str, int]]:
        """Stream, message and ttl (s) per gateway; below 0 for a stream that has a ttl already."""
        ttl, now = self._settings.reply_stream_ttl_seconds, time.monotonic()
        return [
            (stream, message, -ttl if self._streams_expire.get(stream, 0.0) > now else ttl)
            for stream, message in messages_of(ends).items()
        ]

    def _sent(self, replies: Iterable[tuple[str, str, int]]) -> None:
        """Note which streams have a ttl now."""
        if len(self._streams_expire) > _STREAMS_MAX:
            self._streams_expire.clear()
        fresh_until = time.monotonic() + self._settings.reply_stream_ttl_seconds / 3
        self._streams_expire |= {stream: fresh_until for stream, _, ttl in replies if ttl > 0}

    def sweep(self) -> int:
        """Return lost batches, and groups that nobody has. Free players whom no group holds.

        Returns how many were helped.
        """
        return int(self._sweep(args=[*self._common(), *job_arguments(self._settings)]))

    def attendance(self) -> Attendance:
        """Who works on the queue, and whether RQ is suspended."""
        return read_attendance(self._workers(args=self._common()))

    def tidy(self) -> int:
        """Undo what foreign workers wrote about jobs that were applied.

        Returns how many jobs it changed.
        """
        return int(self._tidy(args=self._common()))

    def _read(
        self, id_: str, now: float, sent_at: Deadline, taken: Any, *, offers: bool
    ) -> Batch | None:
        """The batch that a script took. If it found nothing, it may have left an offer."""
        self._offers.close()
        if taken is None:
            return None
        batch = read_batch(id_, now, sent_at, taken)
        if offers and not batch.jobs:
            self._offers.left(sent_at, taken[0])
        return batch

    @contextmanager
    def _offering(self) -> Iterator[None]:
        """If Redis fails, nobody knows whether an offer is in it: nobody shall accept it."""
        try:
            yield
        except RedisError:
            self.redis_ready = False
            self._offers.reset()
            raise
        self.redis_ready = True

    def _common(self) -> list[str | bytes | int]:
        return [*common_arguments(self._settings.queue_name)]
