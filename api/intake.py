"""Lets in so many requests a turn of the event loop, a fair share for each who waits."""

import asyncio
from collections import OrderedDict, deque


class Intake:
    """Those who have come and are not looked at yet; they wait here, and not in the sockets.

    They wait in lanes, and each lane is let in in turn, one request at a time: a lane with many
    does not keep the one of another lane waiting. Within a lane the order is that of coming.
    """

    def __init__(self, per_turn: int) -> None:
        """At most `per_turn` are let in at each turn."""
        self._per_turn = self._room = per_turn
        self._lanes: OrderedDict[bytes, deque[tuple[float, asyncio.Future[None]]]] = OrderedDict()
        self._turn_is_due = False

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits."""
        return not self._lanes

    def waited(self, lane: bytes, now: float) -> float:
        """For how many seconds the first of those in a lane has waited (loop time)."""
        waiting = self._lanes.get(lane)
        return now - waiting[0][0] if waiting else 0.0

    async def enter(self, lane: bytes) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        if not self._turn_is_due:
            self._turn_is_due = True
            loop.call_soon(self._turn, loop)
        if self._room:  # then nobody waits
            self._room -= 1
            return
        future = loop.create_future()
        waiting = self._lanes.get(lane)
        if waiting is None:
            waiting = self._lanes[lane] = deque()
        waiting.append((loop.time(), future))
        await future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._room = self._per_turn
        self._turn_is_due = bool(self._lanes)
        while self._lanes and self._room:
            lane, waiting = self._lanes.popitem(last=False)
            _, future = waiting.popleft()
            if not future.done():  # who waited was not cancelled
                future.set_result(None)
                self._room -= 1
            if waiting:
                self._lanes[lane] = waiting
        if self._turn_is_due:
            loop.call_soon(self._turn, loop)
