"""Serves the wallet on a socket that other gateways may share."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from api.wallet.app import create_app, entrance
from api.wallet.front import WalletFront
from api.wallet.services import GatewayServices, Services
from ops.process.metrics import gateway_metrics
from server.bounds import bounds_of
from server.uvicorn_server import serve_http
from settings import Settings

_LOG = logging.getLogger("betcore.gateway")
_LOOK_EVERY_SECONDS = 0.02
# A gateway that is not ready by then answers 503, which is better than silence.
_READY_WITHIN_SECONDS = 2.0


def serve(settings: Settings, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT. Then answer what has arrived, for at most 6 s.

    Connections are accepted when requests can be admitted, or 2 s after the start at the latest. So
    a gateway that restarts beside others accepts none that it would have to refuse. `on_ready` is
    called when requests can be admitted. Raises TooFewFiles and CannotServeMetrics.
    """
    bounds = bounds_of(settings)
    services = GatewayServices(settings)
    app = create_app(services)
    starting = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with starting(app):
            waiter = asyncio.create_task(_report_ready(services, on_ready))
            await asyncio.wait([waiter], timeout=_READY_WITHIN_SECONDS)
            try:
                yield
            finally:
                waiter.cancel()

    app.router.lifespan_context = lifespan
    with gateway_metrics(settings, lambda: services.redis_ready):
        serve_http(
            entrance(app, services),
            listener,
            bounds,
            front=WalletFront(services.load_shedder, settings.retry_after_seconds),
        )


async def _report_ready(services: Services, on_ready: Callable[[], None]) -> None:
    while not services.ready:  # noqa: ASYNC110  # nobody could set an event
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    _LOG.info("ready")
    on_ready()
