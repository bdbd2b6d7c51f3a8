"""What a provider may do here beyond having a secret: lock, networks, requests per second."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from logs.warning_throttle import WarningThrottle
from models.ledger.gateway_reads import StoredRules
from server.callers import Address, is_within, read_networks

_LOG = logging.getLogger("betcore.provider_rules")
_LOG.addFilter(WarningThrottle())

LOCKED: Final = "the provider is locked"


class Allowance:
    """The requests that one provider may still send to this process: a bucket of tokens.

    It holds the requests of one second, so that a burst of as many is accepted at once.
    """

    __slots__ = ("_at", "_left", "_per_second")

    def __init__(self, per_second: float, now: float) -> None:
        self._per_second = per_second
        self._left = self._most
        self._at = now

    def change(self, per_second: float, now: float) -> None:
        """Go on with another limit, from now on."""
        if per_second != self._per_second:
            self._fill(now)
            self._per_second = per_second
            self._left = min(self._left, self._most)

    def take(self, now: float) -> bool:
        """Count one request. Return whether it is within the limit. `now` is monotonic time."""
        self._fill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def _most(self) -> float:
        return max(1.0, self._per_second)

    def _fill(self, now: float) -> None:
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now


class Rules:
    """The rules of one provider that has any."""

    __slots__ = ("_cause", "_networks", "allowance")

    def __init__(self, stored: StoredRules, allowance: Allowance | None) -> None:
        self.allowance = allowance
        self._cause = LOCKED if stored.locked else ""
        self._networks = None
        if stored.networks is not None:
            try:
                self._networks = read_networks(stored.networks)
            except ValueError as error:
                # Only a row that no operator's command wrote is like this. Nobody may call.
                self._cause = "the allow-list of the provider cannot be read"
                _LOG.warning("%s of %r: %s", self._cause, stored.counterparty_id, error)

    def why_refused(self, caller: Callable[[], Address | None]) -> str:
        """Return why nobody, or not this caller, may call for the provider; "": it may."""
        if self._cause or self._networks is None:
            return self._cause
        address = caller()
        if address is not None and is_within(address, self._networks):
            return ""
        return f"the caller {address} is not on the allow-list of the provider"


def rules_of(
    stored: Iterable[StoredRules], before: Mapping[str, Rules], gateways: int, now: float
) -> dict[str, Rules]:
    """The rules by `X-Counterparty-Id`. What was counted under the rules of before still counts.

    `gateways`: how many gateway processes share the requests of a provider.
    """
    found = {}
    for one in stored:
        known = before.get(one.counterparty_id)
        allowance = None
        if one.rate_max is not None:
            allowance = known.allowance if known else None
            per_second = one.rate_max / gateways
            if allowance is None:
                allowance = Allowance(per_second, now)
            else:
                allowance.change(per_second, now)
        found[one.counterparty_id] = Rules(one, allowance)
    return found
