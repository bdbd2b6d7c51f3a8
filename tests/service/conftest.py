"""Servers and processes that the service tests share."""

from collections.abc import Iterator

import pytest

from ops.embedded import temporary_servers
from tests.service.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """One installation for all tests that kill nothing: two gateways, two workers."""
    with temporary_servers() as urls:
        installation = World(urls)
        try:
            for _ in range(2):
                installation.gateway()
                installation.worker()
            yield installation
        finally:
            installation.close()


@pytest.fixture
def own_world() -> Iterator[World]:
    """An installation of the test's own, without processes yet: it may break it."""
    with temporary_servers() as urls:
        installation = World(urls)
        try:
            yield installation
        finally:
            installation.close()
