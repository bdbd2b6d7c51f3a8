"""Whether to turn a bet away before it costs anything: the queue is crowded, or this process."""

import asyncio
from typing import Final

#: How long an answer of Redis counts. A queue that is full takes longer than this to be worked off.
_REMEMBERED_SECONDS: Final = 0.05
_LOOK_EVERY_SECONDS: Final = 0.02


class Crowding:
    """The share of new bets that should not be let in.

    It grows with the wait of the first in the queue, as `admit.lua` last said, and with the time
    for which this process keeps those waiting whom it has not read yet. So what is let in settles
    at what can be done; a bound alone would be all or nothing, for seconds each.
    """

    def __init__(self, lag_max_seconds: float) -> None:
        """All are turned away when the event loop takes so long for a turn, none at a fifth."""
        self._lag_max_seconds = lag_max_seconds
        self._lagging = 0.0  # shares
        self._queued = 0.0
        self._until = float("-inf")  # loop time, of the queue's share
        self._owed = 0.0  # turned away too few, as a fraction of one

    def note(self, thousandths: int, now: float) -> None:
        """Note what Redis has just said of the queue (loop time)."""
        self._queued = thousandths / 1000
        self._until = now + _REMEMBERED_SECONDS

    def turns_away(self, now: float) -> bool:
        """Whether the request that has just come is one of those to refuse; ask once for each."""
        queued = self._queued if now < self._until else 0.0
        share = max(queued, self._lagging)
        if not share:
            return False
        self._owed += share
        if self._owed < 1:
            return False
        self._owed -= 1
        return True

    def note_lag(self, seconds: float) -> None:
        """Note by how much the event loop was late."""
        patience = self._lag_max_seconds / 5
        share = (seconds - patience) / (self._lag_max_seconds - patience)
        self._lagging = max(0.0, min(1.0, share))

    async def watch(self) -> None:
        """Measure, until cancelled, by how much the event loop is late."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_EVERY_SECONDS
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            self.note_lag(loop.time() - due)
