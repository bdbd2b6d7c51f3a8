"""Whether to turn a bet away before it costs anything: the queue is crowded, or this process."""

import asyncio
from typing import Final

from api.intake import Intake
from settings import Settings

#: How long an answer of Redis counts. A queue that is full takes longer than this to be worked off.
_REMEMBERED_SECONDS: Final = 0.05
_LOOK_EVERY_SECONDS: Final = 0.02
#: While this share or more is turned away, a session may have this part under way of what it may.
_CROWDED_SHARE, _CROWDED_PART = 0.1, 8


class Crowding:
    """The share of new bets that should not be let in, and who is in.

    The share grows with the wait of the first in the queue, as `admit.lua` last said, and with the
    time for which this process keeps those waiting whom it has not looked at yet. So what is let in
    settles at what can be done; a bound alone would be all or nothing, for seconds each.
    """

    def __init__(self, settings: Settings) -> None:
        """Its bounds are those of the gateway process in `settings`."""
        # A turn with more than a script admits would take as long as the overload is great, and
        # what is to be refused would wait for its end.
        self.intake = Intake(settings.admissions_per_script_max)
        self._settings = settings
        self._lag = 0.0  # seconds
        self._queued = 0.0  # share
        self._until = float("-inf")  # loop time, of the queue's share
        self._owed = 0.0  # turned away too few, as a fraction of one
        self._in_flight = 0
        self._of_session: dict[str, int] = {}

    def count_in(self, session_id: str) -> None:
        """Note that a request is worked on, and a bet of which session it is; '': it is none."""
        self._in_flight += 1
        if session_id:
            self._of_session[session_id] = self._of_session.get(session_id, 0) + 1

    def count_off(self, session_id: str) -> None:
        """Note that it is answered."""
        self._in_flight -= 1
        if not session_id:
            return
        left = self._of_session[session_id] - 1
        if left:
            self._of_session[session_id] = left
        else:
            del self._of_session[session_id]

    @property
    def full(self) -> bool:
        """Whether so many are worked on that nothing more may be, not even a question."""
        return self._in_flight >= self._settings.requests_in_flight_max

    def note(self, thousandths: int, now: float) -> None:
        """Note what Redis has just said of the queue (loop time)."""
        self._queued = thousandths / 1000
        self._until = now + _REMEMBERED_SECONDS

    def has_enough(self, session_id: str, now: float) -> bool:
        """Whether so many bets of that session are worked on that no more may be (loop time)."""
        most = self._settings.bets_of_session_max
        # A lane is taken once in a queue's length: the longer that is, the fewer fit in time.
        if self._share(now) >= _CROWDED_SHARE:
            most = max(1, most // _CROWDED_PART)
        return self._of_session.get(session_id, 0) >= most

    def turns_away(self, now: float) -> bool:
        """Whether the bet that has just come is one of those to refuse; ask once for each."""
        if self.full:
            return True
        share = self._share(now)
        if share <= 0:
            return False
        self._owed += min(1.0, share)
        if self._owed < 1:
            return False
        self._owed -= 1
        return True

    def _share(self, now: float) -> float:
        """The share to refuse; none at 0 and below, all at 1 and above."""
        queued = self._queued if now < self._until else 0.0
        most = self._settings.loop_lag_max_seconds
        lag = max(self._lag, self.intake.waited(now))
        return max(queued, (lag - most / 2) / (most / 2))

    def note_lag(self, seconds: float) -> None:
        """Note by how much the event loop was late."""
        self._lag = seconds

    async def watch(self) -> None:
        """Measure, until cancelled, by how much the event loop is late."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_EVERY_SECONDS
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            self.note_lag(loop.time() - due)
