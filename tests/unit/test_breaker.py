"""Calls to a provider pause after failures, in an order of calls that no server gives."""

import pytest

from outbound.breaker import Breaker
from outbound.errors import ProviderPaused, ProviderTimeout


def test_a_call_that_succeeds_during_a_pause_ends_it() -> None:
    """It was made before the pause, and shows that the provider works."""
    breaker = Breaker(failures_max=2, pause_seconds=600, waiting_max=9)
    with breaker.call("acme", "url"):
        for _ in range(2):
            with pytest.raises(ProviderTimeout), breaker.call("acme", "url"):
                raise ProviderTimeout("nothing came")
        with pytest.raises(ProviderPaused), breaker.call("acme", "url"):
            pass

    with breaker.call("acme", "url"):
        pass
