"""Serves the gateway by uvicorn, from a socket that may be shared with other gateways."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from api.app import create_app
from api.gateway import Gateway
from models.errors import BetcoreError
from server.connections import BoundedProtocol, bound_connections
from server.uvicorn_server import serve_http
from settings import Settings

_LOG = logging.getLogger("betcore.gateway")
BACKLOG = 2048  # connections that wait to be accepted
STOP_WITHIN_SECONDS = 6  # from SIGTERM; more than a request may take
# Of a connection on which no signature was good yet; after that: `BoundedProtocol`.
_KEEP_ALIVE_SECONDS = 5
_LOOK_EVERY_SECONDS = 0.02
# A gateway that is not ready by then answers 503 all the same, which is better than silence.
_READY_WITHIN_SECONDS = 2.0


class CannotListen(BetcoreError):  # noqa: N818
    """The address is taken, or not one of this machine."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(f"Port {port} of {host} is taken by another program.") from error
        raise CannotListen(f"Cannot listen at port {port} of {host}: {error.strerror}.") from error


def serve(settings: Settings, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; then answer what has arrived, at most for six seconds.

    Connections are accepted once requests can be admitted, so that a gateway that is started again
    beside others takes none that it would have to refuse. `on_ready` is called then.
    """
    bound_connections(settings)
    app = create_app(settings)
    BoundedProtocol.crowding = app.state.gateway.crowding
    starting = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with starting(app):
            waiter = asyncio.create_task(_report_ready(app.state.gateway, on_ready))
            await asyncio.wait([waiter], timeout=_READY_WITHIN_SECONDS)
            try:
                yield
            finally:
                waiter.cancel()

    app.router.lifespan_context = lifespan
    serve_http(http_config(app), listener)


def http_config(app: ASGIApp) -> uvicorn.Config:
    """How an app is served: the event loop, the parser, the bounds of connections, no log."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_WITHIN_SECONDS,
    )


async def _report_ready(gateway: Gateway, on_ready: Callable[[], None]) -> None:
    while not gateway.ready:  # noqa: ASYNC110  # a fact about others; nobody could set an event
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    _LOG.info("ready")
    on_ready()
