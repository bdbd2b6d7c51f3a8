"""The sandbox as a room of the portal: its API, and the page that shows requests live."""

import inspect
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp

from api.sandbox import providers
from api.sandbox.call import Call, Visit
from api.sandbox.forms import NewProvider
from api.sandbox.routes import PROVIDERS, ROUTES, Route
from api.shared.answers import Answer
from api.shared.bearer import BearerDoor
from api.shared.bodies import read_body
from api.shared.forms import Form, Nothing, read_form
from api.shared.problems import HANDLERS, too_many
from api.shared.requests import Encoded, decoded, object_of, query_of
from api.shared.services import PortalServices
from api.shared.throttles import Buckets
from models.directory.sandbox import SandboxProvider, check_token
from server.callers import site_of

_FILES: Final = {"": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
_PAGE: Final = "page.html"
_OF_PAGE: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_HOUR_SECONDS: Final = 3600


def create_room(services: PortalServices) -> ASGIApp:
    """The room."""
    endpoints: dict[str, dict[str, Callable[[Request], Any]]] = {}
    door = BearerDoor(services, "token", check_token)
    for route in ROUTES:
        endpoint = Endpoint(services, door, route).answer
        endpoints.setdefault(route.path, {})[route.method] = endpoint
    endpoints[PROVIDERS] = {"POST": NewProviders(services).answer}
    routes: list[BaseRoute] = [
        StarletteRoute(path, _by_method(found), methods=list(found))
        for path, found in endpoints.items()
    ]
    routes += [_file(name, kind) for name, kind in _FILES.items()]
    return Encoded(Starlette(routes=routes, exception_handlers=HANDLERS))


class Endpoint:
    """Answers one route for the provider of the token."""

    def __init__(
        self, services: PortalServices, door: BearerDoor[SandboxProvider], route: Route
    ) -> None:
        self._services = services
        self._door = door
        self._route = route

    async def answer(self, request: Request) -> Response:
        """The response. Raises Problem, and errors of ours that `HANDLERS` answer."""
        provider = await self._door.admit(request)
        form = await _form(self._services, request, self._route.form)
        path = {name: decoded(value) for name, value in request.path_params.items()}
        who = f"sandbox:{provider.counterparty_id}"
        address = self._services.caller(request.scope)
        call = Call(self._services, who, address, "", provider, path)
        if inspect.iscoroutinefunction(self._route.handler):
            found: Answer = await self._route.handler(call, form)
        else:
            found = await run_in_threadpool(self._route.handler, call, form)  # type: ignore[arg-type]
        return _response(found, self._route.status)


class NewProviders:
    """Makes providers, for anybody, but only so many per address."""

    def __init__(self, services: PortalServices) -> None:
        self._services = services
        per_hour = services.settings.sandbox_providers_per_hour
        self._made = Buckets(per_hour / _HOUR_SECONDS, per_hour)

    async def answer(self, request: Request) -> Response:
        """The response. Raises as `Endpoint.answer`."""
        address = self._services.caller(request.scope)
        site = site_of(address)
        if wait := self._made.wait_seconds(site):
            raise too_many(wait, "Too many providers were made from this address.")
        form = await _form(self._services, request, NewProvider)
        self._made.take(site)
        base = f"{request.url.scheme}://{request.url.netloc}"
        visit = Visit(self._services, "sandbox:new", address, "", base)
        return _response(await run_in_threadpool(providers.add, visit, form), 201)


async def _form(services: PortalServices, request: Request, form: type[Form]) -> Any:
    query = query_of(request)
    if request.method in ("GET", "HEAD"):
        return read_form(form, query)
    read_form(Nothing, query)
    body = await read_body(request, services.settings.body_bytes_max)
    return read_form(form, object_of(request, body))


def _response(answer: Answer, status: int) -> Response:
    headers = {"Cache-Control": "no-store"}  # balances, and secrets that are shown once
    return Response(
        answer.model_dump_json(by_alias=True), status, headers, media_type="application/json"
    )


def _by_method(endpoints: Mapping[str, Callable[[Request], Any]]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        found: Response = await endpoints[method](request)
        return found

    return endpoint


def _file(name: str, kind: str) -> BaseRoute:
    said = (files("api.sandbox") / "static" / (name or _PAGE)).read_bytes()

    async def endpoint(request: Request) -> Response:  # noqa: ARG001
        return Response(said, headers=_OF_PAGE, media_type=kind)

    return StarletteRoute(f"/{name}", endpoint, methods=["GET"])
