"""What a worker has taken: a batch of jobs, each with the commands that it carries."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from broker.codec import BadJob, Work, decode_command, decode_job
from broker.keys import command_id
from models.deadline import Deadline

_NEVER: Final = Deadline(0.0)
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
    leased_from: Deadline = _NEVER  # a moment before the lease began
    waited_seconds: float = 0.0  # from the admission of its first command to the take

    @property
    def commands(self) -> list[TakenCommand]:
        """The commands of all its jobs, in order."""
        return [command for job in self.jobs for command in job.commands]


def read_batch(id_: str, now: float, sent_at: Deadline, taken: Any) -> Batch:
    """The batch that a script took at `now` (Unix time), once it was sent at `sent_at`."""
    now_ms, rows = taken
    first = _TIMES.match(rows[0][3].decode(errors="replace")) if rows else None
    waited = max(0.0, (now_ms - int(first[1])) / 1000) if first else 0.0
    return Batch(id_, now, tuple([_job(row, sent_at, now_ms) for row in rows]), sent_at, waited)


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
