"""Serves rq-dashboard to operators: behind a login, and reading only."""

import socket
from typing import TYPE_CHECKING, cast

import uvicorn
from a2wsgi import WSGIMiddleware
from starlette.types import ASGIApp

from broker.redis_url import BadRedisUrl
from ops.dashboard.app import DashboardApp
from ops.dashboard.cures import cure
from ops.dashboard.login import Door
from ops.dashboard.reading import connect
from server.connections import BoundedProtocol
from server.uvicorn_server import serve_http
from settings import Settings

if TYPE_CHECKING:
    from a2wsgi.wsgi_typing import WSGIApp

WSGI_THREADS = 4  # each holds at most one Redis connection
STOP_WITHIN_SECONDS = 3  # from SIGTERM; what is still under way then is cut off


class DashboardError(Exception):
    """The dashboard cannot be served; the text says why and what to set."""


def serve(settings: Settings) -> None:
    """Serve the dashboard at `dashboard_host:dashboard_port` until SIGTERM or SIGINT.

    After the signal it closes everything and returns. A Redis that cannot be reached stops
    nothing: the pages answer 503 until it can.

    Raises DashboardError for an empty password, an unusable name or Redis URL, and a port in use.
    """
    login = (settings.dashboard_user, settings.dashboard_password)
    app = create_app(settings.redis_url, *login, settings.queue_name)
    with _listen(settings.dashboard_host, settings.dashboard_port) as listener:
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,  # every open page polls
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_WITHIN_SECONDS,
        )
        serve_http(config, listener)


def create_app(redis_url: str, user: str, password: str, queue: str = "bets") -> ASGIApp:
    """The dashboard as an ASGI application; `/healthz` alone is answered without the login.

    It does not connect yet. The lifespan's shutdown closes its Redis connections.

    Raises DashboardError for an empty password, a name with a colon (HTTP Basic cannot carry one),
    and a Redis URL that cannot be read.
    """
    if not password:
        raise DashboardError("The dashboard needs a password: set BETCORE_DASHBOARD_PASSWORD.")
    if not user or ":" in user:
        raise DashboardError("BETCORE_DASHBOARD_USER must be a name without a colon.")
    try:
        redis = connect(redis_url)
    except BadRedisUrl as error:
        raise DashboardError(str(error)) from error

    cure()
    # Casts: Flask, a2wsgi and Starlette name the same interfaces by types of their own.
    wsgi = WSGIMiddleware(cast("WSGIApp", DashboardApp(redis, queue)), workers=WSGI_THREADS)

    def close() -> None:
        wsgi.executor.shutdown(wait=False, cancel_futures=True)
        redis.connection_pool.disconnect()

    return Door(cast("ASGIApp", wsgi), user, password, close)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, opened here because uvicorn would answer a busy port by exit(1)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = error.strerror or str(error)
        raise DashboardError(f"The dashboard cannot listen at {host}:{port}: {why}.") from error
