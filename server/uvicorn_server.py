"""Uvicorn as we run it: on a socket that already listens, until it is asked to stop."""

import errno
import gc
import socket

import uvicorn
from starlette.types import ASGIApp

from server.acceptor import Acceptor
from server.bounds import Bounds
from server.errors import CannotListen
from server.front import Front, PlainFront
from server.http_connection import HttpConnection
from server.open_connections import OpenConnections
from server.stopping import take_signals

BACKLOG = 2048  # connections that wait to be accepted
STOP_WITHIN_SECONDS = 6  # from SIGTERM; longer than a request may take

# A full collection visits every living object. It stops a gateway that knows 100,000 sessions for
# 60 ms, and hardly anything that a request leaves needs it. Even a small collection visits all
# requests in progress, which takes 50 ms under overload. Collections are therefore rare.
_COLLECT_AFTER = (50_000, 20, 1_000)  # objects; then collections of the younger generation


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Port 0 means any free one. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(f"Port {port} of {host} is taken by another program.") from error
        raise CannotListen(f"Cannot listen at port {port} of {host}: {error.strerror}.") from error


def serve_http(
    app: ASGIApp,
    listener: socket.socket,
    bounds: Bounds,
    *,
    front: Front | None = None,
    stop_within_seconds: int = STOP_WITHIN_SECONDS,
) -> None:
    """Serve until SIGTERM or SIGINT. Then answer what has arrived, and return.

    `front` answers requests that the app never sees. The default answers in plain text.
    """
    config = http_config(app, stop_within_seconds)
    server = Server(config, listener, bounds, front or PlainFront())
    take_signals(server.handle_exit)
    gc.set_threshold(*_COLLECT_AFTER)
    server.run()


def http_config(app: ASGIApp, stop_within_seconds: int = STOP_WITHIN_SECONDS) -> uvicorn.Config:
    """Return uvicorn's configuration: the event loop, no log and no headers of its own."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=HttpConnection,  # which `Server` makes
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=stop_within_seconds,
    )


class Server(uvicorn.Server):
    """Uvicorn's server on a socket that already listens, with our acceptor and protocol.

    It ignores its configuration of address, TLS, protocol and limits.
    """

    def __init__(
        self, config: uvicorn.Config, listener: socket.socket, bounds: Bounds, front: Front
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._bounds = bounds
        self._front = front
        self._open_connections = OpenConnections()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Called by uvicorn, which would accept at `sockets` itself."""
        await super().startup(sockets=[])
        most = self._bounds.accepted_per_turn_max
        self._acceptor = Acceptor(self._listener, self.make_protocol, most_per_turn=most)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn, which then tells every connection to end."""
        await self._acceptor.close()
        self._listener.close()
        await super().shutdown(sockets=sockets)

    def make_protocol(self) -> HttpConnection:
        """Return the protocol of one new connection."""
        return HttpConnection(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            bounds=self._bounds,
            open_connections=self._open_connections,
            front=self._front,
        )
