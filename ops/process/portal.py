"""Serves the portal: everything that is not the wallet."""

import socket
from dataclasses import replace

from api.portal.app import create_app, rooms_served, streamed_paths
from api.portal.front import PortalFront
from api.shared.services import PortalServices
from ops.process.portal_metrics import portal_metrics
from ops.process.sandbox import judge_sandbox
from server.bounds import bounds_of
from server.uvicorn_server import serve_http
from settings import Settings


def serve(settings: Settings, listener: socket.socket, rooms: str | None) -> None:
    """Serve these rooms, or those of the settings, until SIGTERM or SIGINT.

    Then answer what has arrived, for at most 6 s.

    Raises NoSuchRoom, NotASandbox, TooFewFiles and CannotServeMetrics, and NoKey or BadKey without
    the keys.
    """
    names = rooms_served(settings.portal_rooms, sandbox=settings.sandbox, chosen=rooms)
    judge_sandbox(settings)
    services = PortalServices(settings)
    app = create_app(services, names)
    bounds = replace(bounds_of(settings), streamed=streamed_paths(names))
    with portal_metrics(settings, services):
        serve_http(app, listener, bounds, front=PortalFront())
