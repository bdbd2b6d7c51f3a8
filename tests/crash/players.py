"""Clients that play as real ones do: patient for seven seconds, then unsure, and insistent."""

import asyncio
import json
import random
import secrets
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.crash.record import FINAL, Record
from tests.crash.requests import (
    Line,
    Request,
    Seat,
    balance_request,
    bet_request,
    status_request,
)

_PAUSE_SECONDS = (0.02, 0.2)  # between two bets of one client
_AGAIN_SECONDS = (0.2, 0.6)  # between repeats of what is not known yet
_TOO_MUCH = "1000000"  # a stake that no balance covers


class Client:
    """One client: bets of any kind, one after the other, at either gateway."""

    def __init__(
        self,
        record: Record,
        seats: Sequence[Seat],
        sockets: Sequence[Path],
        chance: random.Random,
        skew_seconds: int = 0,
    ) -> None:
        """`skew_seconds`: how far its clock is ahead."""
        self._record = record
        self._seats = seats
        self._lines = [Line(socket) for socket in sockets]
        self._chance = chance
        self._skew_seconds = skew_seconds
        self._ended = asyncio.Event()
        self._captured: deque[Request] = deque(maxlen=50)
        self._state = ""  # of a bet, as last answered
        self.seat = seats[0]
        self.bet = ""

    async def play(self, ended: asyncio.Event) -> None:
        """Bet until it is ended; a bet begun is brought to its end."""
        self._ended = ended
        while not ended.is_set():
            self.seat = self._chance.choice(self._seats)
            self.bet = f"bet {secrets.token_hex(8)}"
            game = self._chance.choices(*zip(*_GAMES, strict=True))[0]
            try:
                await game(self)
            finally:
                self._record.drop(self.bet)
            await self._pause(_PAUSE_SECONDS)
        self.close()

    async def ask_what_became(self, seat: Seat, bet: str) -> None:
        """Ask for a bet until there is an answer that is not `in_flight`."""
        for _ in range(60):
            code = await self._send(status_request(seat, bet))
            if code == 1 and self._state != "in_flight":
                return
            await self._pause(_AGAIN_SECONDS)

    def close(self) -> None:
        """Hang up."""
        for line in self._lines:
            line.close()

    # Games, each with one bet.

    async def _bet_and_win(self) -> None:
        await self._insist("pay-in-out", stake=self._amount(), win=self._amount())

    async def _bet_then_win(self) -> None:
        if await self._insist("pay-in", stake=self._amount()) == 1:
            await self._repeat("pay-out", win=self._amount())

    async def _bet_then_refund(self) -> None:
        call = self._chance.choice(("pay-in", "pay-in-out"))
        win = self._amount() if call == "pay-in-out" else None
        await self._insist(call, stake=self._amount(), win=win)
        await self._repeat("refund")

    async def _crash_game(self) -> None:
        """A pay-in that is never repeated: 99 is a refusal, after 0 or nothing it is refunded."""
        code = await self._ask("pay-in", stake=self._amount())
        if code == 1:
            await self._repeat("pay-out", win=self._amount())
        elif code in (0, None):
            await self._repeat("refund")

    async def _refund_first(self) -> None:
        if await self._repeat("refund") == 1:
            await self._repeat("pay-in-out", session=1, stake=self._amount(), win="0")

    async def _refund_at_once(self) -> None:
        """A refund on another connection, beside its own pay-in."""
        stake = self._amount()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._ask("pay-in", gateway=0, stake=stake))
            both.create_task(self._ask("refund", gateway=1))
        await self._repeat("refund")

    async def _too_much(self) -> None:
        await self._insist("pay-in-out", stake=_TOO_MUCH, win="0")

    async def _another_amount(self) -> None:
        """The same bet for another amount, once it is done: that is a conflict."""
        if await self._insist("pay-in-out", stake="1.00", win="0") == 1:
            await self._repeat("pay-in-out", stake="2.00", win="0")

    async def _balance(self) -> None:
        await self._send(balance_request(self.seat))

    async def _replay(self) -> None:
        """What an eavesdropper does: an old request again, and its nonce for another bet."""
        if not self._captured:
            return
        old = self._chance.choice(self._captured)
        await self._send(old, again=True)
        self.seat = old.seat
        await self._ask("pay-in", nonce=old.nonce, stake=self._amount())
        self._record.drop(self.bet)

    # How a client asks.

    async def _insist(self, call: str, **fields: Any) -> int | None:
        """Ask, repeat at once, then take it back or, late, repeat from a new session."""
        for _ in range(2):
            code = await self._ask(call, **fields)
            if code in FINAL:
                return code
        if self._chance.random() < 0.5:
            await self._repeat("refund")
            return None
        return await self._repeat(call, session=1, **fields)

    async def _repeat(self, call: str, **fields: Any) -> int | None:
        """Ask again and again until the answer is final; None when it never was."""
        for _ in range(60):
            code = await self._ask(call, **fields)
            if code in FINAL or (self._skew_seconds and self._ended.is_set()):
                return code
            await self._pause(_AGAIN_SECONDS)
        if not self._skew_seconds:  # else its stamps may not be believed for half a minute
            self._record.note("unresolved", bet=self.bet)
        return None

    async def _ask(self, call: str, *, gateway: int | None = None, **fields: Any) -> int | None:
        """Ask once, as a new request; the code, or None."""
        mark = str(self._record.number())
        request = bet_request(
            self.seat, call, self.bet, mark, skew_seconds=self._skew_seconds, **fields
        )
        return await self._send(request, gateway=gateway, mark=mark)

    async def _send(
        self,
        request: Request,
        *,
        gateway: int | None = None,
        mark: str = "",
        again: bool = False,
    ) -> int | None:
        chosen = self._chance.randrange(len(self._lines)) if gateway is None else gateway
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
            if not again and mark and self._chance.random() < 0.3:
                # Some HTTP libraries send a POST again when its connection dies.
                await self._send(request, gateway=gateway, again=True)
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
            self._captured.append(request)
        return code

    async def _pause(self, seconds: tuple[float, float]) -> None:
        """Do nothing for a time drawn between the two."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._chance.uniform(*seconds)):
                await asyncio.Event().wait()

    def _amount(self) -> str:
        return str(Decimal(self._chance.randint(0, 500)).scaleb(-2))


_GAMES = (
    (Client._bet_and_win, 50),
    (Client._bet_then_win, 14),
    (Client._bet_then_refund, 8),
    (Client._crash_game, 12),
    (Client._refund_first, 3),
    (Client._refund_at_once, 4),
    (Client._too_much, 3),
    (Client._another_amount, 2),
    (Client._balance, 6),
    (Client._replay, 3),
)
