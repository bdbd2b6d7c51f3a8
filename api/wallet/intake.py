"""Fair order of entry: each provider's requests wait in a lane, and the lanes take turns."""

import asyncio
from collections import OrderedDict, deque
from typing import Final

#: The intake's lane for connections that have not proved who they are.
STRANGERS: Final = b""
#: How much the newest turn counts in the time that one request takes.
_NEWEST_PART: Final = 0.02


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
        self._waiting = 0  # in all lanes
        self._let_in = 0  # in the present turn, of those that waited
        self._turned_at = 0.0  # loop time
        self._seconds_each = 0.0  # from one of those that wait to the next, lately

    @property
    def is_empty(self) -> bool:
        """Whether no request waits."""
        return not self._lanes

    def wait_of(self, lane: bytes, now: float) -> float:
        """Return how many seconds one more request of a lane would wait. `now` is loop time.

        It is what the first one has waited so far, or what those ahead will take, if that is more.
        The first alone would tell too late: those that came after it are in already.
        """
        waiting = self._lanes.get(lane)
        if not waiting:
            return 0.0
        ahead = min(len(waiting) * len(self._lanes), self._waiting)
        return max(now - waiting[0][0], ahead * self._seconds_each)

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
        self._waiting += 1
        await future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        if self._let_in == self._per_turn:  # otherwise the time went to something else
            each = (now - self._turned_at) / self._let_in
            self._seconds_each += (each - self._seconds_each) * _NEWEST_PART
        self._turned_at, self._let_in = now, 0
        self._room = self._per_turn
        self._turn_is_due = bool(self._lanes)
        while self._lanes and self._room:
            lane, waiting = self._lanes.popitem(last=False)
            _, future = waiting.popleft()
            self._waiting -= 1
            if not future.done():  # the waiting request was not cancelled
                future.set_result(None)
                self._room -= 1
                self._let_in += 1
            if waiting:
                self._lanes[lane] = waiting
        if self._turn_is_due:
            loop.call_soon(self._turn, loop)
