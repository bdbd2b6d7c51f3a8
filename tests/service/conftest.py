"""Servers and processes that the service tests share."""

from collections.abc import Iterator

import pytest

from embedded import temporary_servers
from settings import Settings
from tests.service.books import Books, copied
from tests.service.embedded_world import socket_of
from tests.service.hurried_world import hurried_installation
from tests.service.journaled_books import journaled_books
from tests.service.link_world import QUICK
from tests.service.proxy import Proxy
from tests.service.queue_world import QueueWorld
from tests.service.vouched_books import vouched_books
from tests.service.world import Seat, World


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
def seat(world: World) -> Seat:
    """A player with 1000 EUR in a session without limits, of a provider of its own."""
    return world.seat(world.provider())


@pytest.fixture(scope="session")
def ledger_world() -> Iterator[World]:
    """A database on which only the tests' own connections are: no gateway, no worker."""
    with temporary_servers() as urls:
        installation = World(urls)
        try:
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


@pytest.fixture(scope="session")
def hurried_world() -> Iterator[World]:
    """A gateway that gives up soon and a worker that may be halted, on servers of their own."""
    with hurried_installation() as installation:
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


@pytest.fixture
def quick_settings(queue_world: QueueWorld) -> Settings:
    """Settings of a gateway that loses patience with Redis soon."""
    return queue_world.settings.model_copy(update=QUICK)


@pytest.fixture
def redis_proxy(queue_world: QueueWorld) -> Iterator[Proxy]:
    """A proxy before the Redis of `queue_world`."""
    with Proxy(socket_of(queue_world.url)) as started:
        yield started


@pytest.fixture(scope="session")
def vouched_template() -> Iterator[Books]:
    """A ledger that operators and a worker made, to be copied and never changed."""
    with vouched_books() as books:
        yield books


@pytest.fixture
def vouched(vouched_template: Books) -> Iterator[Books]:
    """A ledger that operators and a worker made, of the test's own: it may damage it."""
    with copied(vouched_template) as copy:
        yield copy


@pytest.fixture(scope="session")
def journaled_template() -> Iterator[Books]:
    """A ledger with a journal, to be copied and never changed."""
    with journaled_books() as books:
        yield books


@pytest.fixture
def journaled(journaled_template: Books) -> Iterator[Books]:
    """A ledger with a journal, of the test's own: it may damage it."""
    with copied(journaled_template) as copy:
        yield copy
