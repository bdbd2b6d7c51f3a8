"""An installation that gives up soon, for questions about bets in flight."""

from collections.abc import Iterator

import pytest

from tests.service.support.world import World
from tests.service.wallet.short_timeout_world import short_timeout_installation


@pytest.fixture(scope="session")
def short_timeout_world() -> Iterator[World]:
    """A gateway that gives up soon and a worker that may be halted, on servers of their own."""
    with short_timeout_installation() as installation:
        yield installation
