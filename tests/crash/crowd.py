"""All clients of a campaign, in a thread of their own."""

import asyncio
import random
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from tests.crash.games import games
from tests.crash.players import Client
from tests.crash.record import Record
from tests.crash.requests import Seat

# Clients whose clocks are right, and some whose are not.
_SKEWS_SECONDS = (*[0] * 14, 29, -29, 31, -31)
_END_WITHIN_SECONDS = 60
_ASKERS = 8


class Crowd:
    """Clients that bet from the start of the `with` block to its end, each its own way."""

    def __init__(
        self,
        record: Record,
        seats: Sequence[Seat],
        sockets: Sequence[Path],
        chance: random.Random,
        favourite: str = "",
    ) -> None:
        """`favourite` is the game of every other bet; '' is none."""
        self._record = record
        self._seats = seats
        self._sockets = sockets
        self._chance = chance
        self._games = games(favourite)
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Crowd":
        self._thread.start()
        self._playing = asyncio.run_coroutine_threadsafe(self._play(), self._loop)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_WITHIN_SECONDS)
        self._loop.close()

    def end(self) -> None:
        """Wait until each client has finished its last bet. Notes the clients that could not."""
        if self._playing.done():
            return
        self._loop.call_soon_threadsafe(self._ended.set)
        try:
            self._playing.result(_END_WITHIN_SECONDS)
        except TimeoutError:
            # Noted first: a client that is cancelled gives its bet up.
            for bet in self._record.unresolved():
                self._record.note("unresolved", bet=bet)
            self._playing.cancel()

    def ask_what_became(self, bets: Sequence[tuple[str, str]]) -> None:
        """Ask for the state of bets: pairs of a counterparty's id and a bet's."""
        seats = {seat.counterparty_id: seat for seat in self._seats}
        parts = [bets[number::_ASKERS] for number in range(_ASKERS)]

        async def ask(part: Sequence[tuple[str, str]]) -> None:
            client = self._client(0)
            for provider, bet in part:
                await client.ask_what_became(seats[provider], bet)
            client.close()

        async def ask_all() -> None:
            await asyncio.gather(*(ask(part) for part in parts))

        self._run(ask_all())

    async def _play(self) -> None:
        async with asyncio.TaskGroup() as playing:
            for skew in _SKEWS_SECONDS:
                playing.create_task(self._client(skew).play(self._ended))

    def _client(self, skew_seconds: int) -> Client:
        own = random.Random(self._chance.random())
        return Client(self._record, self._seats, self._sockets, own, self._games, skew_seconds)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(120)
