"""Lets in so many requests a turn of the event loop, in the order in which they came."""

import asyncio
from collections import deque


class Intake:
    """Those who have come and are not looked at yet; they wait here, and not in the sockets."""

    def __init__(self, per_turn: int) -> None:
        """At most `per_turn` are let in at each turn."""
        self._per_turn = self._room = per_turn
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._turn_is_due = False

    def waited(self, now: float) -> float:
        """For how many seconds the first of those who wait has waited (loop time)."""
        return now - self._waiting[0][0] if self._waiting else 0.0

    async def enter(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        if not self._turn_is_due:
            self._turn_is_due = True
            loop.call_soon(self._turn, loop)
        if self._room:  # then nobody waits
            self._room -= 1
            return
        future = loop.create_future()
        self._waiting.append((loop.time(), future))
        await future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._room = self._per_turn
        self._turn_is_due = bool(self._waiting)
        while self._waiting and self._room:
            _, future = self._waiting.popleft()
            if not future.done():  # who waited was not cancelled
                future.set_result(None)
                self._room -= 1
        if self._turn_is_due:
            loop.call_soon(self._turn, loop)
