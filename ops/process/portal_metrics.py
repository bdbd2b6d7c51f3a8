"""Which metrics the portal exports: its own, and those of the whole installation."""

from collections.abc import Iterator
from contextlib import contextmanager

from api.shared.services import PortalServices
from metrics.export import serving
from metrics.meters import Metric
from models.database.engine import pool_states
from ops.process.installation import Installation
from ops.process.metrics import CONNECTIONS, HTTP, redis_connected
from settings import Settings


@contextmanager
def portal_metrics(settings: Settings, services: PortalServices) -> Iterator[None]:
    """Serve a portal's metrics, and those of the installation. Raises CannotServeMetrics."""
    installation = Installation(settings)
    found = (
        HTTP,
        redis_connected(lambda: services.redis_ready),
        Metric("gauge", *CONNECTIONS, lambda: pool_states(settings.database_url, "portal")),
    )
    with serving(
        settings.metrics_host,
        settings.metrics_port,
        lambda: (*found, *installation.metrics()),
    ):
        try:
            yield
        finally:
            installation.close()
