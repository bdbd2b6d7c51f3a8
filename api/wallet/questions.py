"""Answers questions: balances, and the state of a bet."""

from decimal import Decimal

from api.wallet.coalesced import Coalesced, LookupFailed
from api.wallet.errors import try_later
from broker.flights import flights, forget
from broker.keys import account_of, in_flight_field
from broker.link import Link
from models.deadline import COMMIT_GRACE_SECONDS, Deadline
from models.ledger.gateway_reads import BetAnswer, BetQuestion, GatewayReads
from settings import Settings

Fields = dict[str, str | int | Decimal | None]

# The clocks of Redis and gateway may be read a second apart.
_GRACE_SECONDS = COMMIT_GRACE_SECONDS + 1.0


class Questions:
    """Asks Redis what is in flight, and PostgreSQL what is recorded."""

    def __init__(
        self, settings: Settings, link: Link, primary: GatewayReads, replica: GatewayReads
    ) -> None:
        """`replica` answers balances, and may be the primary. Bets are read from `primary` only."""
        self._link = link
        self._flight_ms = int((settings.apply_within_seconds + _GRACE_SECONDS) * 1000)
        self._bets: Coalesced[BetQuestion, BetAnswer] = Coalesced(primary.bets, primary.close)
        self._balances: Coalesced[int, tuple[str, Decimal] | None] = Coalesced(
            replica.balances, replica.close
        )

    async def balance(self, account_id: int, deadline: Deadline) -> tuple[str, Decimal]:
        """Return currency and balance of a player's account. Raises ApiError 99 if it cannot."""
        try:
            found = await self._balances.get(account_id, deadline)
        except LookupFailed:
            found = None
        if found is None:
            raise try_later("The balance cannot be read at the moment.")
        return found

    async def status(self, provider_id: int, bet_id: str, deadline: Deadline) -> Fields:
        """Return the fields of the answer about one bet.

        A bet is `in_flight` while a command about it may still be applied, and whenever that
        cannot be excluded. Raises ApiError 99 when the primary cannot be asked.
        """
        field = in_flight_field(provider_id, bet_id)
        in_flight = await flights(self._link, field, deadline)
        if in_flight is None:
            raise try_later("The queue cannot be asked at the moment.")
        if any(
            ends_ms + self._grace_ms > in_flight.now_ms for ends_ms in in_flight.commands.values()
        ):
            return _fields(bet_id, "in_flight", None)
        doubtful = tuple(sorted({account_of(id_) for id_ in in_flight.commands}))
        try:
            question = BetQuestion(provider_id, bet_id, doubtful)
            answer = await self._bets.get(question, deadline)
        except LookupFailed:
            raise try_later("The ledger cannot be asked at the moment.") from None
        if answer.certain and in_flight.commands:
            forget(self._link, field, in_flight.commands)
        # Redis may have lost the note of a running job. Until the longest job has ended, nobody can
        # exclude one.
        forgotten = in_flight.now_ms - in_flight.since_ms < self._flight_ms
        if forgotten or not answer.certain:
            return _fields(bet_id, "in_flight", None)
        return _fields(bet_id, "unknown" if answer.bet is None else answer.bet.state, answer)

    async def stop(self) -> None:
        """Stop asking."""
        await self._bets.stop()
        await self._balances.stop()

    @property
    def _grace_ms(self) -> int:
        return int(_GRACE_SECONDS * 1000)


def _fields(bet_id: str, state: str, answer: BetAnswer | None) -> Fields:
    bet = answer.bet if answer is not None else None
    return {
        "betId": bet_id,
        "state": state,
        "betAmount": bet.stake if bet else None,
        "winAmount": bet.win if bet else None,
        "currency": bet.currency if bet else None,
        "betTransactionId": bet.stake_id if bet else None,
        "winTransactionId": bet.win_id if bet else None,
        "refundTransactionId": bet.refund_id if bet else None,
        "refusedWith": bet.refused_with if bet else None,
        "reason": bet.reason if bet else None,
        "createdAt": bet.created_at if bet else None,
        "updatedAt": bet.updated_at if bet else None,
        "_responseCode": 1,
    }
