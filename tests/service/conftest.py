"""Servers and processes that several folders of tests share."""

from collections.abc import Iterator

import pytest

from embedded import temporary_servers
from tests.service.support.operator_cli import Operator
from tests.service.support.queue_world import QueueWorld
from tests.service.support.world import PlayerSession, World, new_world


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """One installation for all tests that kill nothing: two gateways, two workers.

    Its ledger must verify after the last test. So a test that damages a row restores it.
    """
    with new_world() as installation:
        installation.start(gateways=2, workers=2)
        yield installation
        verified = Operator(installation, "").run("ledger", "verify")
        assert verified.exit_code == 0, verified.output


@pytest.fixture
def player(world: World) -> PlayerSession:
    """A player with 1000 EUR in a session without limits, of a provider of its own."""
    return world.open_session(world.provider())


@pytest.fixture(scope="session")
def ledger_world() -> Iterator[World]:
    """A database to which only the tests connect: no gateway, no worker."""
    with new_world() as installation:
        yield installation


@pytest.fixture
def own_world() -> Iterator[World]:
    """An installation without processes yet. The test may break it."""
    with new_world() as installation:
        yield installation


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A Redis alone, shared by the tests of a module; each begins by emptying it."""
    with temporary_servers(postgres=False) as urls:
        yield urls.redis


@pytest.fixture
def queue_world(redis_url: str) -> Iterator[QueueWorld]:
    """An empty Redis, and both sides of the queue on it."""
    with QueueWorld(redis_url) as empty:
        yield empty
