"""Runs a command through the queue: admits it, awaits the worker, then asks the primary."""

import time
from collections.abc import Callable
from typing import Any

from api.wallet.auth import Signed
from api.wallet.coalesced import Coalesced, LookupFailed
from api.wallet.errors import (
    OVERLOADED,
    REUSED,
    ApiError,
    refused,
    sent_again,
    try_later,
    unauthorized,
    unknown_outcome,
)
from broker.admission import Admission, NewCommand, NonceClaim, Verdict, new_token
from broker.codec import add_trace, call_of, describe, encode_command
from broker.keys import in_flight_field, nonce_key
from broker.link import Link
from metrics.traces import TRACES
from models.codes import Code
from models.commands import BetCommand, Command
from models.deadline import Deadline
from models.ledger.ledger import Ledger
from models.outcome import Outcome
from settings import Settings

_REFUSALS = {
    Verdict.SUSPENDED: "The workers are suspended.",
    Verdict.OVERLOADED: OVERLOADED,
    Verdict.FORGOTTEN: "The request was made before our memory of requests begins.",
    Verdict.NOT_ADMITTED: "The queue cannot be reached at the moment.",
}


#: Tells whether the bets of a provider (its name on the wire) overtake the queue, at a loop time.
GoesAhead = Callable[[bytes, float], bool]


class QueuedCommands:
    """Runs commands through the queue, and claims nonces."""

    def __init__(
        self, settings: Settings, link: Link, ledger: Ledger, goes_ahead: GoesAhead
    ) -> None:
        """`ledger` only reads. `goes_ahead` tells whether a provider's bets overtake the queue."""
        self._goes_ahead = goes_ahead
        self._settings = settings
        self._link = link
        lasts = settings.timestamp_tolerance_seconds + settings.nonce_margin_seconds
        self._nonce_lasts_ms = int(lasts * 1000)
        self._recorded: Coalesced[Command, Outcome | None] = Coalesced(ledger.recorded)

    async def claim_nonce(self, signed: Signed, deadline: Deadline) -> None:
        """Claim the nonce of a request that queues nothing, so that nobody can use it again.

        Raises ApiError when the nonce was used before, or cannot be claimed by the deadline.
        """
        verdict = await self._link.submit(self._admission(signed, deadline, new_token()))
        if verdict is not Verdict.CLAIMED:
            # The request queues no job, so NOT_ADMITTED is true even if the claim is unknown.
            unknown = verdict is Verdict.UNKNOWN
            raise _refusal(Verdict.NOT_ADMITTED if unknown else verdict)

    async def run(self, signed: Signed, command: BetCommand, deadline: Deadline) -> Outcome:
        """Run a command and return its outcome, with code 1.

        `deadline` ends the wait for the worker, which may have less time. Raises ApiError for every
        other outcome.
        """
        token = new_token()
        payload = encode_command(command, token, self._link.stream)
        if TRACES.spans is not None and (trace := TRACES.spans.current()):
            payload = add_trace(payload, trace)
        queued = NewCommand(
            command.account_id,
            call_of(command),
            describe(command),
            payload,
            in_flight_field(command.provider_id, command.bet_id),
            ahead=self._goes_ahead(signed.call.counterparty_id, time.monotonic()),
        )
        admission = self._admission(signed, deadline, token, queued)
        result: Any = await self._link.submit(admission)
        if not isinstance(result, Verdict):
            outcome = Outcome.from_json(result)
        elif result is not Verdict.UNKNOWN:
            raise _refusal(result)
        elif not admission.admitted:  # it may be a replay, which must learn nothing
            raise unknown_outcome()
        else:
            outcome = await self._ask_primary(command, deadline)
        if outcome.code is not Code.DONE:
            raise refused(outcome.code, outcome.balance, outcome.reason, command.win)
        return outcome

    async def stop(self) -> None:
        """Stop asking."""
        await self._recorded.stop()

    def _admission(
        self, signed: Signed, deadline: Deadline, token: str, command: NewCommand | None = None
    ) -> Admission:
        call = signed.call
        stamp_ms = call.stamp_ms
        return Admission(
            NonceClaim(
                nonce_key(signed.provider_id, call.nonce.decode()),
                expires_ms=stamp_ms + self._nonce_lasts_ms,
                stamp_ms=stamp_ms,
                signature=bytes.fromhex(call.signature.decode()),
            ),
            apply_by=min(Deadline.within(self._settings.apply_within_seconds), deadline),
            answer_by=deadline,
            command=command,
            token=token,
            signed_at=signed.at,
        )

    async def _ask_primary(self, command: Command, deadline: Deadline) -> Outcome:
        """Return the recorded outcome (PROTOCOL.md, rule 8). Raises ApiError 0 if there is none."""
        until = deadline.later(self._settings.ask_primary_within_seconds)
        try:
            recorded = await self._recorded.get(command, until)
        except LookupFailed:
            recorded = None
        if recorded is None:
            raise unknown_outcome()
        return recorded


def _refusal(verdict: Verdict) -> ApiError:
    match verdict:
        case Verdict.REUSED:
            return unauthorized(REUSED)
        case Verdict.DUPLICATE:
            return sent_again()
        case _:
            return try_later(_REFUSALS[verdict])
