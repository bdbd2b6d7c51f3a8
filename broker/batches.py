"""The worker's side of the queue: take a batch, keep its lease, finish it, keep groups moving."""

import os
import re
import time
import zlib
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from broker.codec import (
    BadJob,
    Work,
    decode_command,
    decode_job,
    describe,
    encode_job,
    encode_result,
)
from broker.dedicated import DedicatedConnection, Script
from broker.keys import RQ, command_id, in_flight_field, token_of
from broker.registered import Attendance, read_attendance
from broker.scripts import common_arguments, job_arguments, source
from models.commands import BetCommand
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
_TIMES = re.compile(r"([0-9]{1,15})\+([0-9]{1,15})")  # since+budget, ms


@dataclass(frozen=True, slots=True)
class TakenCommand:
    """A command of a batch.

    Its deadline is counted from before the take was sent, so it is never later than Redis's.
    """

    id: str
    work: Work | BadJob  # what it asks for; or why it cannot be read
    deadline: Deadline
    retaken: bool = False  # whether an earlier batch may have begun to apply it
    form: object = None  # as its job carried it
    times: str = ""  # as its job carried them: since+budget


@dataclass(frozen=True, slots=True)
class TakenJob:
    """A job of a batch: the group of commands that it carries, and the players that it holds."""

    id: str
    accounts: tuple[str, ...]
    commands: tuple[TakenCommand, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs taken together under one lease. Without a job there is no lease."""

    id: str
    started_at: float  # Unix time
    jobs: tuple[TakenJob, ...] = ()

    @property
    def commands(self) -> list[TakenCommand]:
        """The commands of all its jobs, in order."""
        return [command for job in self.jobs for command in job.commands]


@dataclass(frozen=True, slots=True)
class FinishedCommand:
    """How a command ended. A `result` of None means that it failed; `failure` says why."""

    id: str
    reply_to: str
    result: dict[str, object] | None
    failure: str = ""
    expired: bool = False  # too late to be applied; RQ keeps its job only briefly
    landed: bool = True  # whether it can certainly not be applied any more
    answer: dict[str, object] | None = None  # the answer to the caller of a failed command


class Counts:
    """What RQ shows of a worker: its jobs, and the seconds that they took."""

    def __init__(self) -> None:
        self.succeeded = self.failed = 0
        self.seconds = 0.0

    def count(self, batch: Batch, ends: dict[str, FinishedCommand], now: float) -> None:
        """Add a batch that has ended. A command that failed alone is a failed job of its own."""
        for job in batch.jobs:
            failed = sum(ends[command.id].result is None for command in job.commands)
            self.failed += failed
            self.succeeded += failed < len(job.commands)
        self.seconds += now - batch.started_at


class Batches:
    """Takes, renews and finishes batches for one worker on one queue.

    One thread waits, takes and finishes. Any thread may call the other methods.

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
        self._counts = Counts()
        self._streams_expire: dict[str, float] = {}  # until when they need no new ttl

    def take(self, now: float, first: str = "", *, shows: bool = False) -> Batch | None:
        """Take jobs with about `batch_jobs_max` commands. `first` is on the intermediate list.

        `now` is Unix time. RQ is told that the worker is busy if `shows`. Returns None while RQ is
        suspended and a job waits.
        """
        batch = os.urandom(16).hex()
        arguments = [*self._common(), *job_arguments(self._settings), *self._worker, batch]
        arguments += [self._settings.batch_jobs_max, self._lease_ms, _STARTED_TTL_SECONDS]
        sent_at = Deadline.within(0)
        taken = self._dedicated.run(self._take, *arguments, first, "1" if shows else "")
        return None if taken is None else _batch(batch, now, sent_at, taken)

    def wait(self, seconds: float) -> str:
        """Wait for a job, and put it on RQ's intermediate list. Returns its id, or ""."""
        queue = f"{RQ}:queue:{self._settings.queue_name}"
        moved = self._dedicated.call(
            "BLMOVE", queue, f"{queue}:intermediate", "LEFT", "RIGHT", seconds
        )
        try:
            return moved.decode() if moved else ""
        except UnicodeDecodeError:  # planted: the sweep returns it, and a take drops it
            return ""

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
    ) -> Batch | None:
        """Record results, send replies, free the players, and `take` the next batch.

        The next batch has no jobs if none is on the queue, RQ is suspended, or `take` is false.

        Returns None when the lease was lost. Then no job is touched: the worker that has the jobs
        now will answer. A repeated call is harmless, except that it may take a batch whose lease
        runs out.
        """
        settings, following = self._settings, os.urandom(16).hex()
        arguments = [*self._common(), *job_arguments(settings), *self._worker]
        arguments += [batch.id, batch.jobs[0].id]
        arguments += [repr(batch.started_at), repr(now), settings.reply_stream_messages_max]
        arguments += [following, settings.batch_jobs_max if take else 0]
        arguments += [self._lease_ms, _STARTED_TTL_SECONDS]
        of_id = {end.id: end for end in ends}
        replies = self._replies(of_id.values())
        arguments += _ends(batch, of_id, replies, settings)
        sent_at = Deadline.within(0)
        answer: Any = self._dedicated.run(self._finish, *arguments)
        if answer == 0:
            return None
        self._sent(replies)
        self._counts.count(batch, of_id, now)
        if isinstance(answer, list):
            return _batch(following, now, sent_at, answer)
        return Batch(following, now)

    def report(self) -> None:
        """Add to the counts that RQ shows of this worker what has ended since the last report."""
        counts, self._counts = self._counts, Counts()
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

    def _replies(self, ends: Iterable[FinishedCommand]) -> list[tuple[str, str, int | str]]:
        """Stream, message and ttl (s) per gateway; "" for a stream that has a ttl already."""
        ttl, now = self._settings.reply_stream_ttl_seconds, time.monotonic()
        return [
            (stream, message, "" if self._streams_expire.get(stream, 0.0) > now else ttl)
            for stream, message in _messages(ends).items()
        ]

    def _sent(self, replies: Iterable[tuple[str, str, int | str]]) -> None:
        """Note which streams have a ttl now."""
        if len(self._streams_expire) > _STREAMS_MAX:
            self._streams_expire.clear()
        fresh_until = time.monotonic() + self._settings.reply_stream_ttl_seconds / 3
        self._streams_expire |= {stream: fresh_until for stream, _, ttl in replies if ttl}

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

    def _common(self) -> list[str | bytes | int]:
        return [*common_arguments(self._settings.queue_name)]


# Reading what a script has taken.


def _batch(id_: str, now: float, sent_at: Deadline, taken: Any) -> Batch:
    now_ms, rows = taken
    return Batch(id_, now, tuple([_job(row, sent_at, now_ms) for row in rows]))


def _job(row: Sequence[bytes], sent_at: Deadline, now_ms: int) -> TakenJob:
    """A job, with one command per account. What cannot be read is one command that is bad."""
    id_, data = row[0].decode(), row[1]
    accounts, times = [field.decode(errors="replace").split() for field in row[2:4]]
    retaken = row[4] == b"1"
    try:
        forms = decode_job(data)
        if not len(forms) == len(times) == len(accounts) > 0:
            raise BadJob
    except BadJob as error:
        bad = TakenCommand(id_, error, sent_at, retaken, None, times[0] if times else "")
        return TakenJob(id_, tuple(accounts), (bad,))
    only = id_ if len(forms) == 1 else ""
    commands = [
        _command(form, account, time, only or f"{id_}-{place}", retaken, sent_at, now_ms)
        for place, (form, account, time) in enumerate(zip(forms, accounts, times, strict=True))
    ]
    return TakenJob(id_, tuple(accounts), tuple(commands))


def _command(
    form: object,
    account: str,
    times: str,
    unread_id: str,
    retaken: bool,
    sent_at: Deadline,
    now_ms: int,
) -> TakenCommand:
    """A command of a job. It has `unread_id` if it cannot be read."""
    try:
        work, limits = decode_command(form), _TIMES.fullmatch(times)
        if str(work.command.account_id) != account or limits is None:
            raise BadJob
    except BadJob as error:
        return TakenCommand(unread_id, error, sent_at, retaken, form, times)
    left_ms = int(limits[1]) + int(limits[2]) - now_ms
    deadline = sent_at.later(left_ms / 1000)
    return TakenCommand(command_id(account, work.token), work, deadline, retaken, form, times)


# Writing what the finish script is given.


def _ends(
    batch: Batch,
    ends: dict[str, FinishedCommand],
    replies: list[Any],
    settings: Settings,
) -> Iterator[Any]:
    """The counts of `finish.lua`, and what they count."""
    jobs: list[Any] = []
    alone: list[Any] = []  # commands that fail although others of their job do not
    for job in batch.jobs:
        of_job = [ends[command.id] for command in job.commands]
        if len(of_job) == 1 or all(end.expired for end in of_job):
            failure = None if of_job[0].result is not None else of_job[0]
        else:
            failure = None
            alone += [
                _failed_alone(command, account, ends[command.id], settings)
                for command, account in zip(job.commands, job.accounts, strict=True)
                if ends[command.id].result is None
            ]
        jobs.append((job.id, *_job_end(of_job, failure, settings)))
    players = [(account, job.id) for job in batch.jobs for account in job.accounts]
    bets = [
        (
            in_flight_field(work.command.provider_id, work.command.bet_id),
            command.id,
            "1" if ends[command.id].landed else "",
        )
        for command in batch.commands
        if isinstance(work := command.work, Work) and isinstance(work.command, BetCommand)
    ]
    counted: tuple[list[Any], ...] = (replies, jobs, players, bets, alone)
    yield from (len(items) for items in counted)
    for items in counted:
        for item in items:
            yield from item


def _job_end(
    ends: Sequence[FinishedCommand], failure: FinishedCommand | None, settings: Settings
) -> tuple[Any, ...]:
    """The end of a job: '1', its result and how long RQ keeps it; or its failure."""
    if failure is not None:
        return (*_failure(failure.failure), _kept_seconds(failure, settings))
    results = [end.result for end in ends]
    result = encode_result(results[0] if len(results) == 1 else results)
    return "1", b64encode(result.encode()), settings.result_ttl_seconds


def _failed_alone(
    command: TakenCommand, account: str, end: FinishedCommand, settings: Settings
) -> tuple[Any, ...]:
    """A command that becomes a failed job of its own, which names it."""
    work = command.work
    description = describe(work.command) if isinstance(work, Work) else str(work)
    data = encode_job(command.form)
    kept = _kept_seconds(end, settings)
    return command.id, account, command.times, description, data, *_failure(end.failure), kept


def _kept_seconds(end: FinishedCommand, settings: Settings) -> int:
    # After a long time without workers thousands may have expired, and none of them had an effect.
    return settings.result_ttl_seconds if end.expired else settings.failure_ttl_seconds


def _messages(ends: Iterable[FinishedCommand]) -> dict[str, str]:
    """One message per stream: `[[token, result or null], …]`."""
    by_stream: dict[str, list[object]] = defaultdict(list)
    for end in ends:
        if end.reply_to:
            by_stream[end.reply_to].append((token_of(end.id), end.result or end.answer))
    return {stream: encode_result(results) for stream, results in by_stream.items()}


def _failure(text: str) -> tuple[bytes, bytes]:
    """A failure's text in RQ's two forms: compressed, and the compressed bytes in base64."""
    compressed = zlib.compress(text.encode())
    return compressed, b64encode(compressed)
