"""Who uses most of the gateway: recent bets by provider, so that load is shed from the greatest."""

import math
from typing import Final

#: The time after which a provider's recorded use counts half.
_HALF_LIFE_SECONDS: Final = 1.4
#: What is left of one bet after 8 s. Below it, a provider no longer counts as betting.
_FORGOTTEN: Final = 0.02
#: The fraction of the greatest user's use above which a provider is not below its fair share. Bets
#: of the greatest user alone are refused, until it is no longer the greatest. That leaves everybody
#: the share that max-min fairness gives.
_GREAT_PART: Final = 0.8


class RecentUse:
    """Recent bets by the provider that signed them. Unsigned ones do not count."""

    def __init__(self) -> None:
        self._used: dict[bytes, float] = {}
        self._great = 0.0

    def note(self, provider: bytes) -> None:
        """Record a bet that is let in."""
        self._used[provider] = self._used.get(provider, 0.0) + 1

    def fade(self, seconds: float) -> None:
        """Fade all recorded use as if `seconds` had passed."""
        left = math.exp2(-seconds / _HALF_LIFE_SECONDS)
        faded = {provider: used * left for provider, used in self._used.items()}
        self._used = {provider: used for provider, used in faded.items() if used > _FORGOTTEN}
        self._great = _GREAT_PART * max(self._used.values(), default=0.0)

    def is_alone(self, provider: bytes) -> bool:
        """Return whether no other provider bets."""
        return not self._used or (len(self._used) == 1 and provider in self._used)

    def is_great(self, provider: bytes) -> bool:
        """Return whether a provider uses as much as any other, or nearly as much."""
        return self._used.get(provider, 0.0) >= self._great
