"""One sandbox for all tests of this folder: a gateway, a portal and a worker."""

import socket
from collections.abc import Iterator

import pytest

from models.directory.sandbox import mark_sandbox
from tests.service.sandbox.newcomer import Newcomer, Sandbox
from tests.service.support import keys
from tests.service.support.processes import BoundedGatewayProcess, PortalProcess
from tests.service.support.world import new_world


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The sandbox. Its limits are above what tests need."""
    with new_world() as world, socket.socket() as taken:
        mark_sandbox(world.operator_url, keys.AUTHOR)
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.close()
        env = {"BETCORE_SANDBOX": "true", "BETCORE_SANDBOX_URL": f"http://127.0.0.1:{port}"}
        gateway = world.processes.enter_context(BoundedGatewayProcess(world.urls, **env))
        portal = world.processes.enter_context(
            PortalProcess(
                world.urls,
                "--port",
                str(port),
                BETCORE_SANDBOX_WALLET_URL=gateway.url,
                BETCORE_SANDBOX_PROVIDERS_PER_HOUR="100000",
                BETCORE_OPERATOR_REQUESTS_PER_SECOND="100000",
                BETCORE_PORTAL_CASH_WITHIN_SECONDS="60",
                BETCORE_TRUSTED_PROXIES="127.0.0.1",
                BETCORE_OUTBOUND_HTTP_ALLOWED="true",
                BETCORE_OUTBOUND_PRIVATE_ADDRESSES_ALLOWED="true",
                **env,
            )
        )
        world.start(workers=1)
        gateway.wait_ready()
        portal.wait_ready()
        yield Sandbox(world, gateway.url, portal.url)


@pytest.fixture
def newcomer(sandbox: Sandbox) -> Iterator[Newcomer]:
    """Somebody who has just made a provider in the sandbox."""
    with sandbox.newcomer() as made:
        yield made
