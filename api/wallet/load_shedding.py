"""Load shedding: which requests are refused because the queue or this process is overloaded.

Every threshold of a refusal is here, with its unit.
"""

import asyncio
from collections.abc import Hashable, Iterable
from typing import Final, TypeVar

from api.wallet.errors import OVERLOADED, try_later
from api.wallet.intake import STRANGERS, Intake
from api.wallet.recent_use import RecentUse
from metrics.measured import SHED
from server.peer import Peer
from settings import Settings

Key = TypeVar("Key", bound=Hashable)

#: How long an answer of Redis is valid. A full queue takes longer than this to drain.
_REMEMBERED_SECONDS: Final = 0.05
_LOOK_EVERY_SECONDS: Final = 0.02
#: Fractions of the longest wait in the queue. Between the two bounds the share of refused bets
#: grows from none to all. The first pair is for a provider that bets alone. It is wide, so that
#: workers never run out of work. The second pair is for one whose load delays others. It is low,
#: because the others wait as long.
_ALONE: Final = (0.25, 1.0)
_AMONG_OTHERS: Final = (0.05, 0.25)
#: The same as fractions of the longest time for which this process may keep a request waiting.
_LATE: Final = (0.5, 1.0)
#: Once this share of a provider's bets is refused, its sessions' limit of bets in flight is divided
#: by the second number. It stays so for as long as the share stays above it, and these seconds:
#: the share changes faster than a bet is done.
_CROWDED_SHARE, _CROWDED_PART, _CROWDED_SECONDS = 0.1, 8, 1.0


class LoadShedder:
    """The share of new bets to refuse, and the requests that are in.

    The share grows with the time that the queue's first job has waited, as `admit.lua` last
    reported. It also grows with the time for which this process keeps requests waiting before it
    looks at them. So the admitted load settles at what can be done. A hard limit would refuse all
    or nothing, for seconds each.

    Only requests with a good signature count as a provider's. Before that, the named provider is a
    hint. A request that names another one gains no more than a check of its signature.
    """

    def __init__(self, settings: Settings) -> None:
        """The limits are those of the gateway process in `settings`."""
        # A turn that let in more than one script admits would take longer with a greater overload.
        # The requests to refuse would wait for its end.
        self.intake = Intake(settings.admissions_per_script_max)
        self._settings = settings
        self._recent_use = RecentUse()
        self._lag = 0.0  # seconds
        self._fewer_of_session = max(1, settings.bets_of_session_max // _CROWDED_PART)
        self._lag_borne = _LATE[0] * settings.loop_lag_max_seconds
        self._queued = 0.0  # the wait of the queue's first job, as a fraction of the longest wait
        self._until = float("-inf")  # loop time until which `_queued` is valid, and above 0
        self._owed = 0.0  # refusals still due, as a fraction of one
        self._in_flight = 0
        self._of_provider: dict[bytes, int] = {}
        # The key names the provider too: the path is not signed, and may name another's session.
        self._of_session: dict[tuple[bytes, str], int] = {}
        self._crowded_until: dict[bytes, float] = {}  # loop time, by provider
        self._entering: dict[tuple[bytes, str], int] = {}  # bets that wait for their turn

    async def enter(self, provider: bytes, session_id: str, peer: Peer) -> None:
        """Wait until a request may be looked at. `provider` is the one that it names, and
        `session_id` the bet's, or "" if it is no bet.
        """
        if not peer.knows(provider):
            await self.intake.enter(STRANGERS)
        elif not session_id:
            await self.intake.enter(provider)
        else:
            key = (provider, session_id)
            self._entering[key] = self._entering.get(key, 0) + 1
            try:
                await self.intake.enter(provider)
            finally:
                _count_out(self._entering, key)

    def let_in(self, provider: bytes, session_id: str, now: float) -> None:
        """Count a signed request as in progress, until `count_out`. `session_id` is the bet's, or
        "" if it is no bet.

        Requests without a signature must not keep out those with one, so counting begins here. A
        request that is refused here has left no trace, and may be sent again as it is. `now` is
        loop time. Raises ApiError 99 if the request may not be processed.
        """
        if self.is_full(provider):
            SHED.count += 1
            raise try_later("Too many requests are in progress.")
        if session_id and self.session_is_full(provider, session_id, now):
            SHED.count += 1
            raise try_later(OVERLOADED)
        self.count_in(provider, session_id)

    def count_in(self, provider: bytes, session_id: str) -> None:
        """Record that a signed request is in progress. `session_id` is as in `let_in`."""
        self._in_flight += 1
        self._of_provider[provider] = self._of_provider.get(provider, 0) + 1
        if session_id:
            self._recent_use.note(provider)
            key = (provider, session_id)
            self._of_session[key] = self._of_session.get(key, 0) + 1

    def count_out(self, provider: bytes, session_id: str) -> None:
        """Record that the request is answered."""
        self._in_flight -= 1
        _count_out(self._of_provider, provider)
        if session_id:
            _count_out(self._of_session, (provider, session_id))

    def is_full(self, provider: bytes) -> bool:
        """Return whether no more of a provider's requests may be in progress, not even questions.

        The limit is for all providers. A provider below its equal part of it is always let in.
        Otherwise another one could take it all.
        """
        most = self._settings.requests_in_flight_max
        if self._in_flight < most:
            return False
        own = self._of_provider.get(provider, 0)
        return own * (len(self._of_provider) + (own == 0)) >= most

    def note(self, thousandths: int, now: float) -> None:
        """Record how long the queue's first job has waited, in thousandths of the longest wait.

        Redis reports it. `now` is loop time.
        """
        self._queued = thousandths / 1000
        self._until = now + _REMEMBERED_SECONDS if thousandths else float("-inf")

    def session_is_full(self, provider: bytes, session_id: str, now: float) -> bool:
        """Return whether the session is at its limit of bets in progress. `now` is loop time."""
        own = self._of_session.get((provider, session_id), 0)
        if own < self._fewer_of_session:
            return False
        if own >= self._settings.bets_of_session_max:
            return True
        return self._is_crowded(provider, self._share(provider, provider, now), now)

    def goes_ahead(self, provider: bytes, now: float) -> bool:
        """Return whether a provider's bets go ahead of the queue: others make most of it.

        A provider that uses as much as any other waits in the queue that it has made. `now` is loop
        time.
        """
        return now < self._until and not self._recent_use.is_great(provider)

    def decide_to_shed(
        self, headers: Iterable[tuple[bytes, bytes]], path: bytes, peer: Peer, now: float
    ) -> bool:
        """Decide whether to refuse the bet that has just come, and count the decision.

        Call it once per bet: every bet adds to the refusals that are due. `now` is loop time.
        """
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
        if (
            peer.knows(provider)
            and self._is_crowded(provider, share, now)
            and self._has_enough(provider, path)
        ):
            return True
        if share <= 0:
            return False
        self._owed += min(1.0, share)
        if self._owed < 1:
            return False
        self._owed -= 1
        return True

    def _is_crowded(self, provider: bytes, share: float, now: float) -> bool:
        """Return whether a provider's sessions may have fewer bets than else, and remember it.

        A bet's place in a player's row comes up once per batch. The longer the queue is, the fewer
        bets of a player are done in time.
        """
        if share >= _CROWDED_SHARE:
            self._crowded_until[provider] = now + _CROWDED_SECONDS
            return True
        return now < self._crowded_until.get(provider, now)

    def _has_enough(self, provider: bytes, path: bytes) -> bool:
        """Return whether the session of a bet has as many bets here as it may have under load.

        `let_in` would refuse one more, but only after the bet has waited for its turn.
        """
        key = (provider, _session_in(path))
        own = self._of_session.get(key, 0) + self._entering.get(key, 0)
        return own >= self._fewer_of_session

    def _share(self, provider: bytes, lane: bytes, now: float) -> float:
        """Return the share of a provider's bets to refuse: 0 or less is none, 1 or more is all."""
        queued = self._queued if now < self._until else 0.0
        late = self.intake.wait_of(lane, now)
        if self._recent_use.is_alone(provider):
            share = _between(_ALONE, queued)
        elif provider and not self._recent_use.is_great(provider):
            # Bets of others are refused first. If they are not the cause, Redis refuses in the end.
            return self._late_share(late)
        else:
            share = _between(_AMONG_OTHERS, queued)
        return max(share, self._late_share(max(late, self._lag)))

    def _late_share(self, seconds: float) -> float:
        return _between(_LATE, seconds / self._settings.loop_lag_max_seconds)

    def note_lag(self, seconds: float) -> None:
        """Record how late the event loop was."""
        self._lag = seconds

    def pass_time(self, seconds: float) -> None:
        """Let the providers' recorded use fade by `seconds`."""
        self._recent_use.fade(seconds)

    async def watch(self) -> None:
        """Measure how late the event loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            took = loop.time() - began
            self.note_lag(took - _LOOK_EVERY_SECONDS)
            self.pass_time(took)


def _between(bounds: tuple[float, float], value: float) -> float:
    """Return where `value` is between two bounds: 0 at the lower one, 1 at the upper one."""
    lower, upper = bounds
    return (value - lower) / (upper - lower)


def _named(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the provider that a request names, or b""."""
    for name, value in headers:
        if name == b"x-counterparty-id":
            return value
    return b""


def _session_in(path: bytes) -> str:
    """Return the session that a bet's path names: `/v1/sessions/ID/bets/CALL`. It is a hint."""
    parts = path.split(b"/", 4)
    return parts[3].decode("ascii", "replace") if len(parts) > 4 else ""


def _count_out(counts: dict[Key, int], key: Key) -> None:
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]
