"""What the tests of a link to Redis need: settings without patience, a proxy in between."""

from collections.abc import Iterator

import pytest

from settings import Settings
from tests.service.queue.link_world import QUICK
from tests.service.support.embedded_world import socket_of
from tests.service.support.proxy import Proxy
from tests.service.support.queue_world import QueueWorld


@pytest.fixture
def quick_settings(queue_world: QueueWorld) -> Settings:
    """Settings of a gateway that loses patience with Redis soon."""
    return queue_world.settings.model_copy(update=QUICK)


@pytest.fixture
def redis_proxy(queue_world: QueueWorld) -> Iterator[Proxy]:
    """A proxy before the Redis of `queue_world`."""
    with Proxy(socket_of(queue_world.url)) as started:
        yield started
