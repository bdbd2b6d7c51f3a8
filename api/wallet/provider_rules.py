"""What a provider may do here beyond having a secret: lock, networks, requests per second."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from api.shared.throttles import Bucket
from logs.warning_throttle import WarningThrottle
from models.ledger.gateway_reads import StoredRules
from server.callers import Address, is_within, read_networks

_LOG = logging.getLogger("betcore.provider_rules")
_LOG.addFilter(WarningThrottle())

LOCKED: Final = "the provider is locked"


class Rules:
    """The rules of one provider that has any."""

    __slots__ = ("_cause", "_networks", "allowance")

    def __init__(self, stored: StoredRules, allowance: Bucket | None) -> None:
        """`allowance`: the requests that the provider may still send to this process."""
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
            # The requests of one second, so that a burst of as many is accepted at once.
            at_once = max(1.0, per_second)
            if allowance is None:
                allowance = Bucket(per_second, at_once, now)
            else:
                allowance.change(per_second, at_once, now)
        found[one.counterparty_id] = Rules(one, allowance)
    return found
