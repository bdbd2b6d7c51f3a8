"""The portal as an ASGI app: it mounts rooms and knows nothing of what they do (docs/adr/0023)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import NamedTuple

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from api.shared.problems import HANDLERS, Problem
from api.shared.services import PortalServices
from models.errors import BetcoreError

#: Each may hold one connection to PostgreSQL (models/database/engine.py has at most 15).
_THREADS = 12


class Room(NamedTuple):
    """Where a room is served, and the function that builds it from `PortalServices`.

    `streamed` are the paths in it whose bodies are long: the server passes them on as they arrive.
    """

    path: str
    module: str
    function: str
    streamed: tuple[str, ...] = ()
    has_pages: bool = False  # for people, who may leave out the slash at the end


#: The rooms by name. A room's module is imported only if the room is served.
ROOMS = {
    "operator": Room(
        "/operator/v1", "api.operator.app", "create_room", ("/reports/reconciliation",)
    ),
    "sandbox": Room("/sandbox", "api.sandbox.app", "create_room", has_pages=True),
    "console": Room("/console", "api.console.app", "create_room", has_pages=True),
}

#: The room that is served only in a sandbox.
SANDBOX = "sandbox"


class NoSuchRoom(BetcoreError):  # noqa: N818
    """The portal has no such room."""


def read_rooms(text: str) -> list[str]:
    """The names of rooms, separated by commas. Raises NoSuchRoom."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in ROOMS:
            raise NoSuchRoom(f"There is no room {name!r}: choose from {', '.join(ROOMS)}.")
    if not names:
        raise NoSuchRoom(f"Choose at least one room from {', '.join(ROOMS)}.")
    return names


def rooms_served(configured: str, *, sandbox: bool, chosen: str | None = None) -> list[str]:
    """The rooms to serve: those `chosen` on the command line, or the configured ones.

    A sandbox serves its own room besides the configured ones. Raises NoSuchRoom for an unknown
    room, and for that of the sandbox anywhere else.
    """
    names = read_rooms(chosen or (f"{configured},{SANDBOX}" if sandbox else configured))
    if SANDBOX in names and not sandbox:
        raise NoSuchRoom("The room 'sandbox' is served only in a sandbox: set BETCORE_SANDBOX.")
    return names


def streamed_paths(rooms: Sequence[str]) -> frozenset[bytes]:
    """The paths of these rooms whose bodies the server passes on as they arrive."""
    chosen = [ROOMS[name] for name in rooms]
    return frozenset([f"{room.path}{path}".encode() for room in chosen for path in room.streamed])


def create_app(services: PortalServices, rooms: Sequence[str]) -> Starlette:
    """The app with these rooms. Its lifespan starts the services, and stops them."""
    mounts: list[BaseRoute] = []
    for room in (ROOMS[name] for name in rooms):
        build = getattr(import_module(room.module), room.function)
        if room.has_pages:
            mounts.append(Route(room.path, RedirectResponse(f"{room.path}/")))
        mounts.append(Mount(room.path, build(services)))
    app = Starlette(
        routes=[
            Route("/healthz", _alive, methods=["GET"]),
            Route("/readyz", _ready, methods=["GET"]),
            *mounts,
        ],
        exception_handlers=HANDLERS,
        lifespan=_lifespan,
    )
    app.state.services = services
    app.router.redirect_slashes = False
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    services: PortalServices = app.state.services
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    await services.start()
    try:
        yield
    finally:
        await services.stop()


async def _alive(request: Request) -> Response:  # noqa: ARG001
    return JSONResponse({"status": "alive"})


async def _ready(request: Request) -> Response:
    """200 if PostgreSQL and the queue can be used, otherwise 503 and the reason."""
    services: PortalServices = request.app.state.services
    if trouble := await services.trouble():
        raise Problem(503, "unavailable", trouble)
    return JSONResponse({"status": "ready"})
