"""The workers that are registered on our queue, and which of them are foreign.

A worker of stock RQ takes bets and fails them. The sweep (`sweep.lua`) returns them, late.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: The field of RQ's worker record that marks a worker as ours, and its value.
MARK = "betcore"
MARKED = "1"

SUSPENDED = "The queue is suspended, so bets are refused: `betcore queue resume` lets it go on."


@dataclass(frozen=True, slots=True)
class Registered:
    """A worker as RQ's record describes it.

    Anyone may have written the texts, but they are short and printable.
    """

    name: str
    host: str
    pid: str
    version: str  # of RQ
    state: str
    since: str  # when it started, in RQ's format of time
    seen: str  # its last heartbeat
    ours: bool

    def __str__(self) -> str:
        return f"{self.name!r} (host {self.host}, pid {self.pid}, RQ {self.version})"


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who works on the queue, and whether RQ is suspended."""

    suspended: bool
    workers: tuple[Registered, ...]

    @property
    def foreign(self) -> list[Registered]:
        """The workers that are not ours."""
        return [worker for worker in self.workers if not worker.ours]

    @property
    def only_foreign(self) -> bool:
        """Whether no worker of ours can return what foreign workers take. Bets then suffer."""
        return bool(self.workers) and not any(worker.ours for worker in self.workers)

    def warning(self, queue: str) -> str:
        """What is wrong with the registered workers, in one line, or "" when nothing is."""
        if not self.foreign:
            return ""
        names = ", ".join(map(str, self.foreign[:5]))
        more = f" and {len(self.foreign) - 5} more" if len(self.foreign) > 5 else ""
        effect = (
            "and no worker of betcore is there: bets are refused"
            if self.only_foreign
            else "which delays bets"
        )
        return (
            f"Workers that are not betcore's take jobs of queue {queue!r}, {effect}: {names}{more}."
            " Stop them, and start `betcore worker` instead."
        )


def read_attendance(answer: Sequence[Any]) -> Attendance:
    """The answer of `workers.lua`, decoded."""
    suspended, rows = answer
    workers = sorted((registered(row) for row in rows), key=lambda worker: worker.name)
    return Attendance(bool(suspended), tuple(workers))


def registered(values: Iterable[bytes | str | None]) -> Registered:
    """A worker from the eight values of a row of `workers.lua`."""
    name, host, pid, version, state, since, seen, mark = (printable(value) for value in values)
    return Registered(name, host, pid, version, state, since, seen, mark == MARKED)


def printable(value: bytes | str | None, characters_max: int = 100) -> str:
    """A text from Redis that is safe to show and log, whoever has written it."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value or ""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[
        :characters_max
    ]
