"""Clients that behave as real ones do: they wait for seven seconds, then repeat or refund."""

import asyncio
import json
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.crash.record import FINAL, Record
from tests.crash.requests import (
    Line,
    Request,
    Seat,
    bet_request,
    status_request,
)

_PAUSE_SECONDS = (0.02, 0.2)  # between two bets of one client
_AGAIN_SECONDS = (0.2, 0.6)  # between repeats of what is not known yet

#: What a client does with one bet.
Game = Callable[["Client"], Awaitable[None]]


class Client:
    """One client: bets of any kind, one after the other, at either gateway."""

    def __init__(
        self,
        record: Record,
        seats: Sequence[Seat],
        sockets: Sequence[Path],
        chance: random.Random,
        games: Sequence[tuple[Game, int]],
        skew_seconds: int = 0,
    ) -> None:
        """`games`, with their weights; `skew_seconds`: how far its clock is ahead."""
        self._record = record
        self._seats = [seat for seat in seats if not seat.limited]
        self.limited = [seat for seat in seats if seat.limited]
        self._lines = [Line(socket) for socket in sockets]
        self.chance = chance
        self._skew_seconds = skew_seconds
        self._games = games
        self._ended = asyncio.Event()
        self.captured: deque[Request] = deque(maxlen=50)
        self._state = ""  # of a bet, as last answered
        self.seat = self._seats[0]
        self.bet = ""
        self._paid_in = ""  # the last bet for which a pay-in was sent

    async def play(self, ended: asyncio.Event) -> None:
        """Bet until the campaign ends, and finish the last bet."""
        self._ended = ended
        while not ended.is_set():
            self.seat = self.chance.choice(self._seats)
            self.bet = f"bet {secrets.token_hex(8)}"
            game = self.chance.choices(*zip(*self._games, strict=True))[0]
            try:
                await game(self)
            finally:
                self._record.drop(self.bet)
            await self.pause(_PAUSE_SECONDS)
        self.close()

    async def ask_what_became(self, seat: Seat, bet: str) -> None:
        """Ask for a bet until there is an answer that is not `in_flight`."""
        for _ in range(60):
            code = await self.send(status_request(seat, bet))
            if code == 1 and self._state != "in_flight":
                return
            await self.pause(_AGAIN_SECONDS)

    def close(self) -> None:
        """Hang up."""
        for line in self._lines:
            line.close()

    # How a client asks.

    async def insist(self, call: str, **fields: Any) -> int | None:
        """Ask, repeat at once, then refund or later repeat from a new session."""
        for _ in range(2):
            code = await self.ask(call, **fields)
            if code in FINAL:
                return code
        if self.chance.random() < 0.5:
            await self.repeat("refund")
            return None
        return await self.repeat(call, session=1, **fields)

    async def repeat(self, call: str, **fields: Any) -> int | None:
        """Repeat until the answer is final. Returns None if it never was."""
        for _ in range(60):
            code = await self.ask(call, **fields)
            if code in FINAL or (self._skew_seconds and self._ended.is_set()):
                return code
            await self.pause(_AGAIN_SECONDS)
        if not self._skew_seconds:  # else its stamps may not be believed for half a minute
            self._record.note("unresolved", bet=self.bet)
        return None

    async def ask(
        self, call: str, *, gateway: int | None = None, game_round: str = "", **fields: Any
    ) -> int | None:
        """Ask once, as a new request; the code, or None."""
        mark = str(self._record.number())
        named = game_round or self._round(call, mark)
        request = bet_request(
            self.seat, call, self.bet, mark, named, skew_seconds=self._skew_seconds, **fields
        )
        return await self.send(request, gateway=gateway, mark=mark)

    def _round(self, call: str, mark: str) -> str | None:
        """The round that a request names: where the ledger allows it, one of its own.

        A stake may be repeated in the same round, or without one. Of a pay-in, which carries its
        mark nowhere else, only the first request names one: its repeats cannot be told apart.
        """
        if call == "pay-in-out":
            return f"round of {self.bet}"
        if call == "pay-in":
            first, self._paid_in = self._paid_in != self.bet, self.bet
            return f"round {mark}" if first else None
        return f"round {mark}"

    async def send(
        self,
        request: Request,
        *,
        gateway: int | None = None,
        mark: str = "",
        again: bool = False,
    ) -> int | None:
        """Send a request and note it; the code of its answer. `again`: it was sent before."""
        chosen = self.chance.randrange(len(self._lines)) if gateway is None else gateway
        n = self._record.ask(
            counts=not self._skew_seconds and not again and request.call != "status",
            gateway=chosen + 1,
            call=request.call,
            provider=request.seat.counterparty_id,
            account=request.seat.account_id,
            session=request.session,
            bet=request.bet,
            stake=request.stake,
            win=request.win,
            nonce=request.nonce,
            body=request.body.decode(),
            stamp=request.stamp_ms,
            skew=request.skew_seconds,
            again=again,
        )
        try:
            status, body = await self._lines[chosen].send(request)
        except OSError as error:  # a TimeoutError is one
            self._record.silence(n, repr(error))
            if not again and mark and self.chance.random() < 0.3:
                # Some HTTP libraries send a POST again when its connection dies.
                await self.send(request, gateway=gateway, again=True)
            return None
        return self._answered(n, request, status, body)

    def _answered(self, n: int, request: Request, status: int, body: bytes) -> int | None:
        try:
            answer = json.loads(body, parse_float=str, parse_int=str)
            code = int(answer["_responseCode"])
            answer["_responseCode"] = code
            self._state = str(answer.get("state", ""))
        except (ValueError, TypeError, KeyError):
            self._record.answer(n, status, body.decode(errors="replace"))
            return None
        self._record.answer(n, status, answer)
        if code == 1 and request.method == "POST":
            self.captured.append(request)
        return code

    async def pause(self, seconds: tuple[float, float]) -> None:
        """Do nothing for a time drawn between the two."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.chance.uniform(*seconds)):
                await asyncio.Event().wait()

    def amount(self) -> str:
        """What is staked or won: a few euros."""
        return str(Decimal(self.chance.randint(0, 500)).scaleb(-2))
