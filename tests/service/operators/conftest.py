"""Who works on the shared installation, for tests of commands."""

import pytest

from tests.service.support.client import ProviderClient
from tests.service.support.operator_cli import Operator
from tests.service.support.world import World


@pytest.fixture
def client(world: World) -> ProviderClient:
    """A new provider."""
    return world.provider()


@pytest.fixture
def operator(world: World, client: ProviderClient) -> Operator:
    """An operator who works for that provider."""
    return Operator(world, client.counterparty_id)
