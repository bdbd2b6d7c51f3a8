"""How much of this gateway each provider uses, and who uses more than a fair share."""

import math
from typing import Final

#: What a provider used counts by half after so long.
_HALF_LIFE_SECONDS: Final = 1.4
#: Of a bet, what is left when its provider is no longer one of those who bet: after 8 s.
_FORGOTTEN: Final = 0.02
#: Whoever uses this part of what the greatest user does, or more, is not below a fair share. To
#: take from the greatest alone, until it is none, leaves everybody what max-min fairness gives.
_GREAT_PART: Final = 0.8


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
