"""One request on its way into the queue, and all that can become of it before a worker answers."""

import asyncio
import os
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

#: A worker's result as it came: `Outcome.to_json()`.
Result = dict[str, Any]

#: What the nonce of an operator's own job is claimed with: there is no signature.
NO_SIGNATURE: Final = bytes(32)


class Verdict(Enum):
    """What became of a request that has no result; the values are the letters of `admit.lua`."""

    CLAIMED = b"C"  # the nonce was claimed, as was asked; nothing was queued
    SUSPENDED = b"S"  # RQ is suspended; nothing was queued
    OVERLOADED = b"O"  # more waits than can be worked on in time; nothing was queued
    FORGOTTEN = b"F"  # stamped before Redis remembers nonces; nothing was queued
    DUPLICATE = b"D"  # the very same request again; nothing was queued
    REUSED = b"R"  # the nonce belongs to another request; nothing was queued
    NOT_ADMITTED = "not admitted"  # never sent, or refused before anything was written
    UNKNOWN = "unknown"  # no result in time: it may be applied, or not


@dataclass(slots=True, eq=False)
class Admission:
    """A request to admit. `data` of None claims the nonce and queues nothing.

    `apply_by` and `answer_by` are times of the event loop: the first becomes the job's deadline,
    at the second the future is resolved with whatever is known.
    """

    nonce_key: str
    nonce_expires_ms: int  # Unix time by Redis's clock
    stamp_ms: int  # when the request says it was made, Unix time
    apply_by: float
    answer_by: float
    signature: bytes = NO_SIGNATURE
    account_id: int | None = None
    description: str = ""
    data: str = ""
    flight_key: str = ""  # where to note that a job about this bet is in flight; '': nowhere
    token: str = field(default_factory=lambda: os.urandom(16).hex())
    sent: bool = False  # a script that may have run carried it
    unanswered: bool = False  # and such a script's answer was lost: an earlier one may have run
    admitted: bool = False  # Redis has said so: the nonce is this request's alone
    future: asyncio.Future[Result | Verdict] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def resolve(self, result: Result | Verdict) -> None:
        """Give the one who waits what became of it; only the first time counts."""
        if not self.future.done():
            self.future.set_result(result)

    def refuse(self, verdict: Verdict) -> None:
        """Resolve with a verdict of Redis; UNKNOWN when an earlier sending may have been admitted.

        A Redis that lost its memory, or only became a replica, refuses what it, or the primary
        before it, once admitted: that says nothing of what a worker has done since.
        """
        unknown = self.unanswered and verdict is not Verdict.CLAIMED
        self.resolve(Verdict.UNKNOWN if unknown else verdict)

    def give_up(self) -> None:
        """Resolve without a result: what was never sent was certainly not admitted."""
        self.resolve(Verdict.UNKNOWN if self.sent else Verdict.NOT_ADMITTED)

    def arguments(self, now: float) -> tuple[str | bytes | int, ...]:
        """Its ten arguments of `admit.lua`."""
        budget_ms = int((self.apply_by - now) * 1000)
        account = "" if self.account_id is None else self.account_id
        return (
            self.nonce_key,
            self.signature,
            self.token,
            self.stamp_ms,
            self.nonce_expires_ms,
            account,
            self.description,
            self.data,
            budget_ms,
            self.flight_key,
        )
