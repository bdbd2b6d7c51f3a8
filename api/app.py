"""The gateway as data: its routes, its error handlers, its lifespan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from api.answers import render_error, render_http_exception, render_unexpected
from api.bets import BetCall
from api.errors import ApiError
from api.gateway import Gateway
from api.health import alive, ready
from api.reads import BalanceCall, BetStatusCall
from api.shortcut import SESSION_PATH, ShortcutApp
from models.commands import BetCommand, PayIn, PayInOut, PayOut, Refund
from settings import Settings, settings

BETS: dict[str, type[BetCommand]] = {
    "pay-in": PayIn,
    "pay-out": PayOut,
    "pay-in-out": PayInOut,
    "refund": Refund,
}


def create_app(configured: Settings | None = None) -> Starlette:
    """The gateway's ASGI app; without settings, those of the environment."""
    gateway = Gateway(configured or settings())
    bets = {name: BetCall(gateway, command) for name, command in BETS.items()}
    app = ShortcutApp(
        bets,
        routes=[
            *[Route(f"{SESSION_PATH}/bets/{name}", bets[name], methods=["POST"]) for name in bets],
            Route(f"{SESSION_PATH}/balance", BalanceCall(gateway), methods=["GET"]),
            Route("/v1/bets", BetStatusCall(gateway), methods=["GET"]),
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
    app.state.gateway = gateway
    app.router.redirect_slashes = False  # a redirect would be an answer without JSON and a code
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    gateway: Gateway = app.state.gateway
    await gateway.start()
    try:
        yield
    finally:
        await gateway.stop()
