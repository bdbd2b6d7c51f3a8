"""The reference as a room at the root: `/docs` for people, `/openapi.json` for machines."""

from importlib.util import find_spec
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from api.reference.document import served
from api.shared.headers import WithHeaders
from api.shared.problems import HANDLERS
from api.shared.services import PortalServices

_OWN = Path(__file__).parent / "static"
_HEADERS = {
    # Swagger UI has its pictures as data: URLs in its style sheet.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:;"
    " script-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none';"
    " base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",  # asked for again; unchanged files are answered with 304
}


def create_room(services: PortalServices) -> ASGIApp:
    """The room. It is open to everybody: it tells only what is public."""
    described = served(services.settings)

    async def openapi(request: Request) -> Response:  # noqa: ARG001
        return Response(described, media_type="application/json")

    async def page(request: Request) -> Response:  # noqa: ARG001
        return FileResponse(_OWN / "docs.html")

    app = Starlette(
        routes=[
            Route("/openapi.json", openapi, methods=["GET"]),
            Route("/docs", page, methods=["GET"]),
            Mount("/docs/page", StaticFiles(directory=_OWN)),
            Mount("/docs/swagger-ui", StaticFiles(directory=_swagger_ui())),
        ],
        exception_handlers=HANDLERS,
    )
    app.router.redirect_slashes = False
    return WithHeaders(app, _HEADERS)


def _swagger_ui() -> Path:
    """The folder of Swagger UI's files. The package is not imported: that would import Flask."""
    found = find_spec("flask_swagger_ui")
    assert found is not None  # noqa: S101 - a dependency of ours
    assert found.origin is not None  # noqa: S101 - it has an `__init__.py`
    return Path(found.origin).parent / "dist"
