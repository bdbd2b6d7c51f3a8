"""Load shedding: which bets are refused before they cost anything, and who is let in when.

The queue may be crowded, or this process. Every threshold is here, with its unit.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from api.wallet.errors import OVERLOADED, try_later
from server.peer import Peer
from settings import Settings

Key = TypeVar("Key", bound=Hashable)

#: How long an answer of Redis counts. A queue that is full takes longer than this to be worked off.
_REMEMBERED_SECONDS: Final = 0.05
_LOOK_EVERY_SECONDS: Final = 0.02
#: Parts of the longest wait in the queue between which the share to refuse grows from none to all:
#: of a provider that bets alone; of one that others suffer from. The first is long, so that workers
#: never want for work; the second is short, because the others wait as long.
_ALONE: Final = (0.25, 1.0)
_AMONG_OTHERS: Final = (0.05, 0.25)
#: The same, of the longest time for which this process may keep a request waiting.
_LATE: Final = (0.5, 1.0)
#: While this share or more is turned away, a session may have this part under way of what it may.
_CROWDED_SHARE, _CROWDED_PART = 0.1, 8
#: The lane of the intake for those whose connection has not proved who they are.
STRANGERS: Final = b""
#: What a provider used counts by half after so long.
_HALF_LIFE_SECONDS: Final = 1.4
#: Of a bet, what is left when its provider is no longer one of those who bet: after 8 s.
_FORGOTTEN: Final = 0.02
#: Whoever uses this part of what the greatest user does, or more, is not below a fair share. To
#: take from the greatest alone, until it is none, leaves everybody what max-min fairness gives.
_GREAT_PART: Final = 0.8


class LoadShedder:
    """The share of new bets that should not be let in, and who is in.

    The share grows with the wait of the first in the queue, as `admit.lua` last said, and with the
    time for which this process keeps those waiting whom it has not looked at yet. So what is let in
    settles at what can be done; a bound alone would be all or nothing, for seconds each.

    Only what had a good signature counts as somebody's. The provider that a request names before
    is a hint: whoever names another gets no more by it than a look at the signature.
    """

    def __init__(self, settings: Settings) -> None:
        """Its bounds are those of the gateway process in `settings`."""
        # A turn with more than a script admits would take as long as the overload is great, and
        # what is to be refused would wait for its end.
        self.intake = Intake(settings.admissions_per_script_max)
        self._settings = settings
        self._shares = Shares()
        self._lag = 0.0  # seconds
        self._lag_borne = _LATE[0] * settings.loop_lag_max_seconds
        self._queued = 0.0  # of the longest wait, the part that the first in the queue has waited
        self._until = float("-inf")  # loop time, of the queue's wait
        self._owed = 0.0  # turned away too few, as a fraction of one
        self._in_flight = 0
        self._of_provider: dict[bytes, int] = {}
        # By provider too: the path is not signed, and may name a session of another one.
        self._of_session: dict[tuple[bytes, str], int] = {}

    @contextmanager
    def admitted(self, provider: bytes, session_id: str, now: float) -> Iterator[None]:
        """While a signed request is worked on; `session_id`: whose bet it is, "" if none.

        Nobody without a signature must keep out those who have one: so it counts from here. What
        is refused here has left no trace, and may be sent again as it is. `now` is loop time.
        Raises ApiError 99 if it may not be worked on.
        """
        if self.is_full(provider):
            raise try_later("Too many requests are being worked on.")
        if session_id and self.has_enough(provider, session_id, now):
            raise try_later(OVERLOADED)
        self.count_in(provider, session_id)
        try:
            yield
        finally:
            self.count_off(provider, session_id)

    def count_in(self, provider: bytes, session_id: str) -> None:
        """Note that a signed request is worked on; `session_id`: whose bet it is, '' if none."""
        self._in_flight += 1
        self._of_provider[provider] = self._of_provider.get(provider, 0) + 1
        if session_id:
            self._shares.note(provider)
            key = (provider, session_id)
            self._of_session[key] = self._of_session.get(key, 0) + 1

    def count_off(self, provider: bytes, session_id: str) -> None:
        """Note that it is answered."""
        self._in_flight -= 1
        _count_off(self._of_provider, provider)
        if session_id:
            _count_off(self._of_session, (provider, session_id))

    def is_full(self, provider: bytes) -> bool:
        """Whether no more of a provider's requests may be worked on, not even a question.

        So many may be in all. One that has less than its part of them is let in all the same, or
        another could have them all.
        """
        most = self._settings.requests_in_flight_max
        if self._in_flight < most:
            return False
        own = self._of_provider.get(provider, 0)
        return own * (len(self._of_provider) + (own == 0)) >= most

    def note(self, thousandths: int, now: float) -> None:
        """Note for what part of the longest wait the first has waited, says Redis (loop time)."""
        self._queued = thousandths / 1000
        self._until = now + _REMEMBERED_SECONDS

    def has_enough(self, provider: bytes, session_id: str, now: float) -> bool:
        """Whether so many bets of that session are worked on that no more may be (loop time)."""
        most = self._settings.bets_of_session_max
        # A lane is taken once in a queue's length: the longer that is, the fewer fit in time.
        if self._share(provider, provider, now) >= _CROWDED_SHARE:
            most = max(1, most // _CROWDED_PART)
        return self._of_session.get((provider, session_id), 0) >= most

    def turns_away(self, headers: Iterable[tuple[bytes, bytes]], peer: Peer, now: float) -> bool:
        """Whether the bet that has just come is one of those to refuse; ask once for each."""
        if (
            now >= self._until
            and self.intake.is_empty
            and self._lag <= self._lag_borne
            and self._in_flight < self._settings.requests_in_flight_max
        ):
            return False
        provider = _named(headers)
        if self.is_full(provider):
            return True
        share = self._share(provider, provider if peer.knows(provider) else STRANGERS, now)
        if share <= 0:
            return False
        self._owed += min(1.0, share)
        if self._owed < 1:
            return False
        self._owed -= 1
        return True

    def _share(self, provider: bytes, lane: bytes, now: float) -> float:
        """The share of a provider's bets to refuse; none at 0 and below, all at 1 and above."""
        queued = self._queued if now < self._until else 0.0
        late = self.intake.waited(lane, now)
        if self._shares.is_alone(provider):
            share = _between(_ALONE, queued)
        elif provider and not self._shares.is_great(provider):
            # Others are refused before it is; if they are not the cause, Redis refuses at the end.
            return self._late_share(late)
        else:
            share = _between(_AMONG_OTHERS, queued)
        return max(share, self._late_share(max(late, self._lag)))

    def _late_share(self, seconds: float) -> float:
        return _between(_LATE, seconds / self._settings.loop_lag_max_seconds)

    def note_lag(self, seconds: float) -> None:
        """Note by how much the event loop was late."""
        self._lag = seconds

    def pass_time(self, seconds: float) -> None:
        """Let what providers have used count less, as so much time has passed."""
        self._shares.fade(seconds)

    async def watch(self) -> None:
        """Measure, until cancelled, by how much the event loop is late."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            took = loop.time() - began
            self.note_lag(took - _LOOK_EVERY_SECONDS)
            self.pass_time(took)


def _between(bounds: tuple[float, float], value: float) -> float:
    """Where a value is between two bounds: 0 at the lower one, 1 at the upper one."""
    lower, upper = bounds
    return (value - lower) / (upper - lower)


def _named(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The provider that a request names, or b''."""
    for name, value in headers:
        if name == b"x-counterparty-id":
            return value
    return b""


def _count_off(counts: dict[Key, int], key: Key) -> None:
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]


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


class Shares:
    """The bets of late, by the provider whose signature they had; nobody else's are counted."""

    def __init__(self) -> None:
        self._used: dict[bytes, float] = {}
        self._great = 0.0

    def note(self, provider: bytes) -> None:
        """Note a bet that is let in."""
        self._used[provider] = self._used.get(provider, 0.0) + 1

    def fade(self, seconds: float) -> None:
        """Let so much time have passed."""
        left = math.exp2(-seconds / _HALF_LIFE_SECONDS)
        faded = {provider: used * left for provider, used in self._used.items()}
        self._used = {provider: used for provider, used in faded.items() if used > _FORGOTTEN}
        self._great = _GREAT_PART * max(self._used.values(), default=0.0)

    def is_alone(self, provider: bytes) -> bool:
        """Whether no other provider bets."""
        return not self._used or (len(self._used) == 1 and provider in self._used)

    def is_great(self, provider: bytes) -> bool:
        """Whether a provider uses as much as any other, or nearly."""
        return self._used.get(provider, 0.0) >= self._great
