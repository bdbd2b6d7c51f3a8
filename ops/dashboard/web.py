"""Serves rq-dashboard to operators, behind a login and read only."""

from typing import TYPE_CHECKING, cast

from a2wsgi import WSGIMiddleware
from starlette.types import ASGIApp

from broker.redis_url import BadRedisUrl
from ops.dashboard.app import DashboardApp
from ops.dashboard.cures import cure
from ops.dashboard.login import Door
from ops.dashboard.reading import connect
from server.bounds import Bounds
from server.uvicorn_server import listen, serve_http
from settings import Settings

if TYPE_CHECKING:
    from a2wsgi.wsgi_typing import WSGIApp

WSGI_THREADS = 4  # each holds at most one Redis connection
STOP_WITHIN_SECONDS = 3  # from SIGTERM; requests still in progress then are cut off


class DashboardError(Exception):
    """The dashboard cannot be served. The text says why, and what to set."""


def serve(settings: Settings) -> None:
    """Serve the dashboard at `dashboard_host:dashboard_port` until SIGTERM or SIGINT.

    After the signal it closes everything and returns. It runs even if Redis cannot be reached: the
    pages answer 503 until it can.

    Raises DashboardError for an empty password, and for an unusable name or Redis URL. Raises
    CannotListen for a port in use.
    """
    login = (settings.dashboard_user, settings.dashboard_password)
    app = create_app(settings.redis_url, *login, settings.queue_name)
    with listen(settings.dashboard_host, settings.dashboard_port) as listener:
        serve_http(app, listener, Bounds(), stop_within_seconds=STOP_WITHIN_SECONDS)


def create_app(redis_url: str, user: str, password: str, queue: str = "bets") -> ASGIApp:
    """Return the dashboard as an ASGI application. Only `/healthz` needs no login.

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
    # Casts: Flask, a2wsgi and Starlette have their own types for the same interfaces.
    wsgi = WSGIMiddleware(cast("WSGIApp", DashboardApp(redis, queue)), workers=WSGI_THREADS)

    def close() -> None:
        wsgi.executor.shutdown(wait=False, cancel_futures=True)
        redis.connection_pool.disconnect()

    return Door(cast("ASGIApp", wsgi), user, password, close)
