"""An installation that gives up soon, for questions about what is under way."""

from collections.abc import Iterator

import pytest

from tests.service.support.world import World
from tests.service.wallet.hurried_world import hurried_installation


@pytest.fixture(scope="session")
def hurried_world() -> Iterator[World]:
    """A gateway that gives up soon and a worker that may be halted, on servers of their own."""
    with hurried_installation() as installation:
        yield installation
