"""One portal on the shared installation, for all tests that kill nothing."""

from collections.abc import Iterator

import pytest

from tests.service.portal.caller import Caller, new_key
from tests.service.support.processes import PortalProcess
from tests.service.support.world import World


@pytest.fixture(scope="session")
def portal(world: World) -> Iterator[PortalProcess]:
    """A portal behind a trusted proxy on this machine, without limits that tests would meet."""
    with PortalProcess(
        world.urls,
        BETCORE_OPERATOR_REQUESTS_PER_SECOND="100000",
        BETCORE_OPERATOR_KEY_FAILURES_PER_MINUTE="100000",
        BETCORE_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8",
        BETCORE_PORTAL_CASH_WITHIN_SECONDS="60",
        BETCORE_OUTBOUND_HTTP_ALLOWED="true",
        BETCORE_OUTBOUND_PRIVATE_ADDRESSES_ALLOWED="true",
        BETCORE_OUTBOUND_FAILURES_MAX="3",
        BETCORE_LAUNCH_WITHIN_SECONDS="8",
        BETCORE_GAMES_SYNC_MINUTES="0",
    ) as started:
        started.wait_ready()
        yield started


@pytest.fixture(scope="session")
def api(world: World, portal: PortalProcess) -> Iterator[Caller]:
    """A caller whose key may do everything."""
    caller = Caller(portal.url, new_key(world, "all"))
    yield caller
    caller.http.close()


@pytest.fixture(scope="session")
def provider_id(world: World) -> str:
    """The counterparty id of a provider."""
    return world.provider().counterparty_id
