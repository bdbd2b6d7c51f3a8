"""From an authenticated call to its outcome: admit, await the worker, at last ask the primary."""

import asyncio
from typing import Any, NoReturn

from api.wallet.auth import Signed
from api.wallet.coalesced import Coalesced, LookupFailed
from api.wallet.errors import (
    OVERLOADED,
    ApiError,
    refused,
    sent_again,
    try_later,
    unauthorized,
    unknown_outcome,
)
from broker.admission import Admission, Result, Verdict
from broker.codec import describe, encode_job
from broker.keys import flight_key, nonce_key
from broker.link import Link
from models.commands import BetCommand, Command
from models.ledger.ledger import Ledger
from settings import Settings

_REFUSALS = {
    Verdict.SUSPENDED: "The workers are suspended.",
    Verdict.OVERLOADED: OVERLOADED,
    Verdict.FORGOTTEN: "The request was made before our memory of requests begins.",
    Verdict.NOT_ADMITTED: "The queue cannot be reached at the moment.",
}


class Dispatcher:
    """Runs commands through the queue, and claims nonces."""

    def __init__(self, settings: Settings, link: Link, ledger: Ledger) -> None:
        """`ledger` is only asked what is recorded."""
        self._settings = settings
        self._link = link
        self._recorded: Coalesced[Command, Result | None] = Coalesced(
            lambda commands: [
                None if outcome is None else outcome.to_json()
                for outcome in ledger.recorded(commands)
            ]
        )

    async def claim(self, signed: Signed, arrived: float) -> None:
        """Claim the nonce of a request that will be refused: it can never be used again.

        Raises ApiError instead when the nonce was used before, or cannot be claimed.
        """
        verdict = await self._link.submit(self._admission(signed, arrived))
        if verdict is not Verdict.CLAIMED:
            # It asked for nothing, so it was not admitted, even if we do not know what was claimed.
            unknown = verdict is Verdict.UNKNOWN
            _raise(Verdict.NOT_ADMITTED if unknown else verdict)

    async def run(self, signed: Signed, command: BetCommand, arrived: float) -> Result:
        """The outcome of a command with code 1, from `Outcome.to_json`.

        `arrived` is loop time. Raises ApiError for every other outcome.
        """
        admission = self._admission(signed, arrived)
        admission.account_id = command.account_id
        admission.description = describe(command)
        admission.data = encode_job(command, self._link.stream)
        admission.flight_key = flight_key(command.provider_id, command.bet_id)
        result: Any = await self._link.submit(admission)
        if isinstance(result, Verdict):
            if result is not Verdict.UNKNOWN:
                _raise(result)
            if not admission.admitted:  # its nonce may be another's: nothing is told to a replay
                raise unknown_outcome()
            result = await self._ask_primary(command, arrived)
        if result["code"] != 1:
            # A worker of the version before sends no reason.
            raise refused(result["code"], result["balance"], result.get("reason"))
        return dict(result)

    async def stop(self) -> None:
        """Stop asking."""
        await self._recorded.stop()

    def _admission(self, signed: Signed, arrived: float) -> Admission:
        settings = self._settings
        call = signed.call
        nonce_lasts = settings.timestamp_tolerance_seconds + settings.nonce_margin_seconds
        now = asyncio.get_running_loop().time()
        answer_by = arrived + settings.answer_within_seconds - settings.ask_primary_within_seconds
        return Admission(
            nonce_key=nonce_key(signed.provider_id, call.nonce.decode()),
            nonce_expires_ms=call.stamp_ms + int(nonce_lasts * 1000),
            stamp_ms=call.stamp_ms,
            signature=bytes.fromhex(call.signature.decode()),
            apply_by=min(now + settings.apply_within_seconds, answer_by),
            answer_by=answer_by,
        )

    async def _ask_primary(self, command: Command, arrived: float) -> Result:
        """What the ledger can say without writing (PROTOCOL.md, rule 8); else it is unknown."""
        left = arrived + self._settings.answer_within_seconds
        left -= asyncio.get_running_loop().time()
        try:
            recorded = await self._recorded.get(command, max(0.0, left))
        except LookupFailed:
            recorded = None
        if recorded is None:
            raise unknown_outcome()
        return recorded


def _raise(verdict: Verdict) -> NoReturn:
    raise _error(verdict)


def _error(verdict: Verdict) -> ApiError:
    match verdict:
        case Verdict.REUSED:
            return unauthorized("the X-Request-Id was used before, with another signature")
        case Verdict.DUPLICATE:
            return sent_again()
        case _:
            return try_later(_REFUSALS[verdict])
