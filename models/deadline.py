"""Until when something must be done: one clock for gateways, workers and commands."""

import time
from dataclasses import dataclass
from typing import Final

#: PostgreSQL ends a transaction this long after the deadline of its jobs, so a commit may end so
#: much later (PROTOCOL.md, rule 5).
COMMIT_GRACE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """A moment of `time.monotonic()`, which is also the clock of an event loop; in seconds."""

    at: float

    @classmethod
    def within(cls, seconds: float) -> "Deadline":
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    def later(self, seconds: float) -> "Deadline":
        """So many seconds after this one."""
        return Deadline(self.at + seconds)

    def seconds_left(self) -> float:
        """How long it is until then; 0 once it has passed."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether it is too late."""
        return self.at <= time.monotonic()
