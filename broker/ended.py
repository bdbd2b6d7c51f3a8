"""How the commands of a batch ended, and what the finish script is told of it."""

import zlib
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from broker.codec import Work, describe, encode_job, encode_result
from broker.keys import in_flight_field, token_of
from broker.taken import Batch, TakenCommand
from models.commands import BetCommand
from settings import Settings


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


def end_arguments(
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


def messages_of(ends: Iterable[FinishedCommand]) -> dict[str, str]:
    """One message per stream: `[[token, result or null], …]`."""
    by_stream: dict[str, list[object]] = defaultdict(list)
    for end in ends:
        if end.reply_to:
            by_stream[end.reply_to].append((token_of(end.id), end.result or end.answer))
    return {stream: encode_result(results) for stream, results in by_stream.items()}


def _failure(text: str) -> tuple[bytes, bytes]:
    """A failure's text in RQ's two forms: compressed, and the compressed bytes in base64."""
    compressed = zlib.compress(text.encode(errors="backslashreplace"))
    return compressed, b64encode(compressed)
