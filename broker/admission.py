"""One request on its way into the queue, and what can become of it before a worker answers."""

import asyncio
import os
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple

from models.deadline import Deadline

#: A worker's result as it came: `Outcome.to_json()`.
Result = dict[str, Any]

#: Claims the nonce of an operator's job, which has no signature.
NO_SIGNATURE: Final = bytes(32)


class Verdict(Enum):
    """The fate of a request without a result. Single letters are those of `admit.lua`."""

    CLAIMED = b"C"  # the request only claimed its nonce; nothing was queued
    SUSPENDED = b"S"  # RQ is suspended; nothing was queued
    OVERLOADED = b"O"  # the queue is too long to process it in time; nothing was queued
    FORGOTTEN = b"F"  # stamped before Redis remembers nonces; nothing was queued
    DUPLICATE = b"D"  # the identical request was received before; nothing was queued
    REUSED = b"R"  # the nonce belongs to another request; nothing was queued
    NOT_ADMITTED = "not admitted"  # never sent, or refused before anything was written
    UNKNOWN = "unknown"  # no result in time: it may have been applied, or not


class NonceClaim(NamedTuple):
    """The nonce that a request claims, so that it is never admitted again."""

    key: str
    expires_ms: int  # Unix time by Redis's clock
    stamp_ms: int  # when the request says it was made, Unix time
    signature: bytes = NO_SIGNATURE  # distinguishes a repeated request from a different one


class NewCommand(NamedTuple):
    """The command that a request puts on the queue."""

    account_id: int
    call: str  # for people, such as `pay-in-out`
    description: str  # for people
    payload: str  # as `encode_command` writes it, with the token of the admission
    in_flight_field: str = ""  # where it is noted under its bet; "": nowhere
    ahead: bool = False  # whether it overtakes the queue, which other providers have filled


def new_token() -> str:
    """Make the unique token of an admission. The command's id contains it."""
    return os.urandom(16).hex()


@dataclass(slots=True, eq=False)
class Admission:
    """A request to admit, and its progress. Without a command it only claims the nonce.

    `apply_by` becomes the command's deadline. At `answer_by` the future is resolved with whatever
    is known.
    """

    claim: NonceClaim
    apply_by: Deadline
    answer_by: Deadline
    command: NewCommand | None = None
    token: str = field(default_factory=new_token)
    signed_at: float = 0.0  # when the signature was known to be good, by `monotonic`; 0: unknown
    sent: bool = False  # it was sent in a script that may have run
    unanswered: bool = False  # the answer to such a script was lost: it may have admitted this
    admitted: bool = False  # Redis confirmed it, so the nonce belongs to this request
    future: asyncio.Future[Result | Verdict] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def resolve(self, result: Result | Verdict) -> None:
        """Hand the outcome to the waiting request. Only the first call counts."""
        if not self.future.done():
            self.future.set_result(result)

    def refuse(self, verdict: Verdict) -> None:
        """Resolve with a verdict of Redis, or UNKNOWN if an earlier script may have admitted this.

        After a restart or failover Redis may refuse a request that was admitted before. A worker
        may have applied it since, so the outcome is not known.
        """
        unknown = self.unanswered and verdict is not Verdict.CLAIMED
        self.resolve(Verdict.UNKNOWN if unknown else verdict)

    def give_up(self) -> None:
        """Resolve without a result. A request that was never sent was certainly not admitted."""
        self.resolve(Verdict.UNKNOWN if self.sent else Verdict.NOT_ADMITTED)

    def arguments(self) -> tuple[str | bytes | int, ...]:
        """Its twelve arguments of `admit.lua`."""
        claim, command = self.claim, self.command
        claimed = (claim.key, claim.signature, self.token, claim.stamp_ms, claim.expires_ms)
        if command is None:
            return (*claimed, "", "", "", "", 0, "", "")
        return (
            *claimed,
            command.account_id,
            command.call,
            command.description,
            command.payload,
            int(self.apply_by.seconds_left() * 1000),
            command.in_flight_field,
            "1" if command.ahead else "",
        )
