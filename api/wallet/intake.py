"""Fair order of entry: each provider's requests wait in a lane, and the lanes take turns."""

import asyncio
from collections import OrderedDict, deque
from typing import Final

#: The intake's lane for connections that have not proved who they are.
STRANGERS: Final = b""


class Intake:
    """Requests that have come and were not looked at yet. They wait here and not in the sockets.

    They wait in lanes. Each lane in turn lets one request in, so a long lane does not delay the
    requests of another lane. Within a lane the order is first come, first served.
    """

    def __init__(self, per_turn: int) -> None:
        """Let in at most `per_turn` requests per turn of the event loop."""
        self._per_turn = self._room = per_turn
        self._lanes: OrderedDict[bytes, deque[tuple[float, asyncio.Future[None]]]] = OrderedDict()
        self._turn_is_due = False

    @property
    def is_empty(self) -> bool:
        """Whether no request waits."""
        return not self._lanes

    def waited(self, lane: bytes, now: float) -> float:
        """Return how many seconds the first request of a lane has waited. `now` is loop time."""
        waiting = self._lanes.get(lane)
        return now - waiting[0][0] if waiting else 0.0

    async def enter(self, lane: bytes) -> None:
        """Wait for one's turn."""
        if not self._turn_is_due:
            self._turn_is_due = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._turn, loop)
        if self._room:  # then nobody waits
            self._room -= 1
            return
        loop = asyncio.get_running_loop()
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
            if not future.done():  # the waiting request was not cancelled
                future.set_result(None)
                self._room -= 1
            if waiting:
                self._lanes[lane] = waiting
        if self._turn_is_due:
            loop.call_soon(self._turn, loop)
