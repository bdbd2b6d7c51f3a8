"""The wallet as an ASGI app: its routes, error handlers and lifespan."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.wallet.answers import (
    render_error,
    render_http_exception,
    render_unexpected,
    send_answer,
)
from api.wallet.endpoints import BalanceEndpoint, BetEndpoint, BetStatusEndpoint, SignedEndpoint
from api.wallet.errors import ApiError, no_such_path
from api.wallet.health import alive, ready
from api.wallet.services import GatewayServices, Services
from api.wallet.traced import Answer, traced
from metrics.measured import REPLY
from models.commands import BetCommand, PayIn, PayInOut, PayOut, Refund
from server.exchange import ARRIVED
from settings import settings

#: The place of a session's id in a path.
SESSION_PATH: Final = "/v1/sessions/{session_id}"
_BEFORE_SESSION = SESSION_PATH.partition("{")[0]
_AFTER_SESSION = "/bets/"
_CALLS = "/v1/"  # where the paths of all calls begin
_ENCODED_SLASH = b"%2f"

BETS: dict[str, type[BetCommand]] = {
    "pay-in": PayIn,
    "pay-out": PayOut,
    "pay-in-out": PayInOut,
    "refund": Refund,
}


def app_of_environment() -> ASGIApp:
    """Return the app with the settings of the environment. Any ASGI server may call it.

    Raises as `entrance`.
    """
    services = GatewayServices(settings())
    return entrance(create_app(services), services)


def entrance(app: ASGIApp, services: GatewayServices) -> ASGIApp:
    """Return the app as it is served: in a sandbox with the layer of the sandbox around it.

    Raises NotASandbox if the settings say that this is one, and the database does not.
    """
    if not services.settings.sandbox:
        return app
    from api.wallet.sandbox.layer import SandboxLayer
    from models.directory.sandbox import require_sandbox

    require_sandbox(services.settings.database_url)
    return SandboxLayer(app, services)


def create_app(services: Services) -> Starlette:
    """Return the app on these services. It starts them with its lifespan, and stops them."""
    bets = {name: BetEndpoint(services, command) for name, command in BETS.items()}
    app = ShortcutApp(
        bets,
        routes=[
            *[Route(f"{SESSION_PATH}/bets/{name}", bets[name], methods=["POST"]) for name in bets],
            Route(f"{SESSION_PATH}/balance", BalanceEndpoint(services), methods=["GET"]),
            Route("/v1/bets", BetStatusEndpoint(services), methods=["GET"]),
            Route("/healthz", alive, methods=["GET"]),
            Route("/readyz", ready, methods=["GET"]),
        ],
        exception_handlers={
            ApiError: render_error,
            HTTPException: render_http_exception,
            Exception: render_unexpected,
        },
        lifespan=_lifespan,
    )
    app.state.services = services
    app.router.redirect_slashes = False  # a redirect would be an answer without JSON and a code
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    services: Services = app.state.services
    await services.start()
    try:
        yield
    finally:
        await services.stop()


class ShortcutApp(Starlette):
    """Starlette's app with a shortcut for bets: `POST /v1/sessions/{session_id}/bets/{name}`.

    The shortcut goes straight to the endpoint, because Starlette's middleware and router cost more
    than our own steps of a bet. The endpoint is the route's own, and gets what the route would give
    it. Its errors are answered as the app's handlers answer them.
    """

    def __init__(self, bets: Mapping[str, SignedEndpoint[Any]], **parts: Any) -> None:
        """`bets`: endpoints by name, which also have routes. `parts`: Starlette's arguments."""
        super().__init__(**parts)
        self._bets = {
            name: traced(name.replace("-", "_"), endpoint.answer) for name, endpoint in bets.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        answer = self._shortcut(scope)
        if answer is None:
            await super().__call__(scope, receive, send)
        else:
            await self._answer(answer, scope, receive, send)
        if (arrived := scope.get(ARRIVED)) and scope["path"].startswith(_CALLS):
            REPLY.observe(monotonic() - arrived)

    async def _answer(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        try:
            body = await answer(scope, receive)
        except ApiError as error:
            await (await render_error(Request(scope), error))(scope, receive, send)
        except Exception as error:
            await (await render_unexpected(Request(scope), error))(scope, receive, send)
            raise  # the server logs it
        else:
            await send_answer(send, body)

    def _shortcut(self, scope: Scope) -> Answer | None:
        """Return what answers the request without Starlette, or None."""
        if _ENCODED_SLASH in (scope.get("raw_path") or b"").lower():
            # An encoded slash is data and separates nothing. None of our paths has a slash as data.
            return _no_such_path
        if scope["type"] != "http" or scope["method"] != "POST" or scope.get("root_path"):
            return None
        path: str = scope["path"]
        session_id, found, name = path[len(_BEFORE_SESSION) :].partition(_AFTER_SESSION)
        if not session_id or "/" in session_id or not path.startswith(_BEFORE_SESSION):
            return None
        scope["path_params"] = {"session_id": session_id}
        return self._bets.get(name) if found else None


async def _no_such_path(scope: Scope, receive: Receive) -> bytes:  # noqa: ARG001
    raise no_such_path()
