"""Answers questions: balances, the state of a bet, and the bets of a round."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from api.wallet.bet_query import BetQuery, RoundPage, next_cursor
from api.wallet.coalesced import Coalesced, LookupFailed
from api.wallet.errors import try_later
from broker.flights import Flights, flights, forget
from broker.keys import account_of, in_flight_field
from broker.link import Link
from models.deadline import COMMIT_GRACE_SECONDS, Deadline
from models.ledger.bet_questions import (
    BetAnswer,
    BetQuestion,
    Question,
    RoundBet,
    RoundQuestion,
    TransactionQuestion,
)
from models.ledger.gateway_reads import GatewayReads
from settings import Settings

#: The fields of an answer by their names.
Fields = dict[str, object]

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
        self._recorded: Coalesced[Question, Any] = Coalesced(primary.recorded, primary.close)
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

    async def bets(
        self, provider_id: int, query: BetQuery, deadline: Deadline
    ) -> Mapping[str, object]:
        """Return the fields of the answer about a bet, a transaction, or the bets of a round.

        A bet is `in_flight` while a command about it may still be applied, and whenever that
        cannot be excluded. Raises ApiError 99 when Redis or the primary cannot be asked.
        """
        if isinstance(query, RoundPage):
            fields = await self._round(provider_id, query, deadline)
        elif isinstance(query, int):
            fields = await self._transaction(provider_id, query, deadline)
        else:
            [fields] = await self._states(provider_id, [query], deadline)
        return fields | {"_responseCode": 1}

    async def _transaction(self, provider_id: int, transfer_id: int, deadline: Deadline) -> Fields:
        """The bet that has this transfer. Without one of this provider its state is `unknown`."""
        bet_id = await self._ask(TransactionQuestion(provider_id, transfer_id), deadline)
        if bet_id is None:
            return _fields(None, "unknown", None)
        [fields] = await self._states(provider_id, [bet_id], deadline)
        return fields

    async def _round(self, provider_id: int, page: RoundPage, deadline: Deadline) -> Fields:
        """A page of the bets that are recorded in a round, each as when it is asked alone."""
        question = RoundQuestion(provider_id, page.round_id, page.after, page.limit + 1)
        found: list[RoundBet] = await self._ask(question, deadline)
        shown = found[: page.limit]
        items = await self._states(provider_id, [bet.bet_id for bet in shown], deadline)
        more = next_cursor(page.round_id, shown[-1].place) if len(found) > len(shown) else None
        return {"items": items, "next": more}

    async def _states(
        self, provider_id: int, bet_ids: list[str], deadline: Deadline
    ) -> list[Fields]:
        """The fields of each bet. Redis is asked about all of them before the primary is."""
        if not bet_ids:
            return []
        fields = [in_flight_field(provider_id, bet_id) for bet_id in bet_ids]
        in_flight = await flights(self._link, fields, deadline)
        if in_flight is None:
            raise try_later("The queue cannot be asked at the moment.")
        bets = zip(bet_ids, in_flight, strict=True)
        return await asyncio.gather(
            *[self._state(provider_id, bet_id, noted, deadline) for bet_id, noted in bets]
        )

    async def _state(
        self, provider_id: int, bet_id: str, in_flight: Flights, deadline: Deadline
    ) -> Fields:
        if any(
            ends_ms + self._grace_ms > in_flight.now_ms for ends_ms in in_flight.commands.values()
        ):
            return _fields(bet_id, "in_flight", None)
        doubtful = tuple(sorted({account_of(id_) for id_ in in_flight.commands}))
        answer: BetAnswer = await self._ask(BetQuestion(provider_id, bet_id, doubtful), deadline)
        if answer.certain and in_flight.commands:
            forget(self._link, in_flight_field(provider_id, bet_id), in_flight.commands)
        # Redis may have lost the note of a running job. Until the longest job has ended, nobody can
        # exclude one.
        forgotten = in_flight.now_ms - in_flight.since_ms < self._flight_ms
        if forgotten or not answer.certain:
            return _fields(bet_id, "in_flight", None)
        return _fields(bet_id, "unknown" if answer.bet is None else answer.bet.state, answer)

    async def _ask(self, question: Question, deadline: Deadline) -> Any:
        """What is recorded. Raises ApiError 99 when the primary cannot be asked."""
        try:
            return await self._recorded.get(question, deadline)
        except LookupFailed:
            raise try_later("The ledger cannot be asked at the moment.") from None

    async def stop(self) -> None:
        """Stop asking."""
        await self._recorded.stop()
        await self._balances.stop()

    @property
    def _grace_ms(self) -> int:
        return int(_GRACE_SECONDS * 1000)


def _fields(bet_id: str | None, state: str, answer: BetAnswer | None) -> Fields:
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
        "gameRoundId": bet.round_id if bet else None,
        "gameId": bet.game if bet else None,
    }
