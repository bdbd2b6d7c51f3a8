"""Deadlines, by one clock for gateways, workers and commands."""

import time
from typing import Final, NamedTuple

#: PostgreSQL ends a transaction this long after the deadline of its jobs, so a commit may end so
#: much later (PROTOCOL.md, rule 5).
COMMIT_GRACE_SECONDS: Final = 1.0


class Deadline(NamedTuple):
    """A moment of `time.monotonic()` in seconds. An event loop uses the same clock."""

    at: float

    @classmethod
    def within(cls, seconds: float) -> "Deadline":
        """Return the deadline that is `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def later(self, seconds: float) -> "Deadline":
        """Return the deadline that is `seconds` after this one."""
        return Deadline(self.at + seconds)

    def seconds_left(self) -> float:
        """Return the seconds until then, or 0 once it has passed."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether the moment has passed."""
        return self.at <= time.monotonic()
