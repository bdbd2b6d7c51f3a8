"""Whether to turn a bet away before it costs anything: the queue is crowded, or this process."""

import asyncio
from collections.abc import Hashable, Iterable
from typing import Final, TypeVar

from api.intake import Intake
from api.shares import Shares
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


class Crowding:
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
