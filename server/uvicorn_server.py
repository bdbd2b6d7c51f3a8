"""Uvicorn as we run it: on a socket that listens already, until it is asked to stop."""

import asyncio
import gc
import socket
from typing import Any

import uvicorn

from ops.service import take_signals
from server.acceptor import MOST_PER_TURN, Acceptor

# A full collection looks at everything that lives, and stops a gateway that knows 100,000 sessions
# for 60 ms; hardly anything that one request leaves needs it. Even a small one looks at all
# requests in hand, which in an overload takes 50 ms: hence seldom.
_COLLECT_AFTER = (50_000, 20, 1_000)  # objects; then collections of the younger generation


def serve_http(config: uvicorn.Config, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; then answer what has arrived, and return."""
    server = Server(config, listener)
    take_signals(server.handle_exit)
    gc.set_threshold(*_COLLECT_AFTER)
    server.run()


class Server(uvicorn.Server):
    """Uvicorn's server, at a socket that listens already, with an acceptor of ours.

    Of its configuration, where to listen and TLS are not looked at.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Called by uvicorn, which would accept at `sockets` itself."""
        await super().startup(sockets=[])
        per_turn = getattr(self.config.http_protocol_class, "accepted_per_turn_max", MOST_PER_TURN)
        self._acceptor = Acceptor(self._listener, self._make_protocol, most_per_turn=per_turn)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn, which then tells every connection to end."""
        await self._acceptor.close()
        self._listener.close()
        await super().shutdown(sockets=sockets)

    def _make_protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol
