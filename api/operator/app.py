"""The operator API as a room of the portal."""

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import unquote_to_bytes, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.operator.call import CREATED, Call, Reply
from api.operator.door import Door
from api.operator.forms import read_form
from api.operator.openapi import document
from api.operator.routes import ROUTES, Route
from api.shared.bodies import media_type_of, read_body, read_upload
from api.shared.problems import HANDLERS, Problem
from api.shared.services import PortalServices
from models.commands import is_readable
from models.directory.idempotency import Claim
from models.errors import InvalidRequest
from models.json_body import read_object

_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
_OF_PAGES = ("cursor", "limit")


def create_room(services: PortalServices) -> ASGIApp:
    """The room. It answers 404 to what its table of routes does not name."""
    door = Door(services)
    paths: dict[str, dict[str, Endpoint]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = Endpoint(services, door, route)
    described = json.dumps(document(ROUTES), ensure_ascii=False).encode()

    async def openapi(request: Request) -> Response:  # noqa: ARG001
        return Response(described, media_type="application/json")

    return Encoded(
        Starlette(
            routes=[
                StarletteRoute("/openapi.json", openapi, methods=["GET"]),
                *[
                    StarletteRoute(path, _chosen(by_method), methods=list(by_method))
                    for path, by_method in paths.items()
                ],
            ],
            exception_handlers=HANDLERS,
        )
    )


def _chosen(by_method: "Mapping[str, Endpoint]") -> "Callable[[Request], object]":
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await by_method[method].answer(request)

    return endpoint


class Encoded:
    """Routes by the path as it was sent. So a slash that is encoded is a part of a name."""

    def __init__(self, app: Starlette) -> None:
        app.router.redirect_slashes = False
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if raw := scope.get("raw_path"):
            scope = {**scope, "path": raw.partition(b"?")[0].decode("latin-1")}
        await self._app(scope, receive, send)


class Endpoint:
    """Answers one route: who asks, what, and has it been asked before?"""

    def __init__(self, services: PortalServices, door: Door, route: Route) -> None:
        self._services = services
        self._door = door
        self._route = route

    async def answer(self, request: Request) -> Response:
        """The response. Raises Problem, and errors of ours that `HANDLERS` answer."""
        route = self._route
        key = await self._door.enter(request, route.scope, change=route.changes)
        settings, body, upload = self._services.settings, b"", None
        if route.changes:
            body = await read_body(request, settings.body_bytes_max)
        query = _query(request)
        form = read_form(route.form, _object(request, body) if route.changes else query)
        if route.changes and query:
            raise _unknown_query(query)
        if route.upload:
            upload = await read_upload(request, route.upload, settings.portal_upload_bytes_max)
        call = Call(
            services=self._services,
            who=f"key:{key.name}",
            key=key,
            address=self._services.caller(request.scope),
            base=request.scope.get("root_path", ""),
            path={name: _decoded(value) for name, value in request.path_params.items()},
            list_name=_list_name(request.scope["path"], query),
            claim=self._claim(request, key.id, body),
            upload=upload,
        )
        if inspect.iscoroutinefunction(route.handler):
            reply = await route.handler(call, form)
        else:
            reply = await run_in_threadpool(route.handler, call, form)
        return reply if isinstance(reply, Response) else self._response(reply, call)

    def _response(self, reply: Reply, call: Call) -> Response:
        text, headers = reply.json, dict(reply.headers or {})
        if reply.status == CREATED and self._route.location:
            headers["Location"] = call.base + self._route.location.format_map(json.loads(text))
        headers["Cache-Control"] = "no-store"  # balances, and secrets that are shown once
        return Response(text, reply.status, headers, "application/json")

    def _claim(self, request: Request, key_id: int, body: bytes) -> Claim | None:
        names = request.headers.getlist("idempotency-key")
        if not names or not self._route.changes:
            return None
        if not self._route.idempotent:
            if self._route.status != CREATED:
                return None  # a repeat changes nothing
            raise Problem(
                400,
                "idempotency_key_not_supported",
                "This call takes no Idempotency-Key: its answer has a secret, which is not kept."
                " If an answer is lost, revoke the newest secret and add another one.",
            )
        if len(names) != 1 or not _IDEMPOTENCY_KEY.fullmatch(names[0]):
            raise Problem(
                400,
                "idempotency_key_invalid",
                "An Idempotency-Key has 1 to 255 visible ASCII characters.",
            )
        said = b"\0".join((request.method.encode(), request.scope["path"].encode(), body))
        return Claim(key_id, names[0], hashlib.sha256(said).digest())


def _object(request: Request, body: bytes) -> Mapping[str, object]:
    """The object in the body. No body is an empty object. Raises Problem."""
    if not body:
        return {}
    if media_type_of(request) != "application/json":
        raise Problem(415, "unsupported_media_type", "Send the body as application/json.")
    try:
        return read_object(body)
    except InvalidRequest as error:
        raise Problem(400, "invalid_json", str(error)) from None


def _query(request: Request) -> dict[str, str]:
    """The query. Raises Problem for a name that is given twice, or is not UTF-8."""
    items = request.query_params.multi_items()
    found = dict(items)
    if len(found) != len(items):
        raise Problem(422, "invalid_request", "The query names a parameter twice.")
    if any("\ufffd" in part for item in items for part in item):
        raise Problem(422, "invalid_request", "The query is not UTF-8.")
    return found


def _unknown_query(query: Mapping[str, str]) -> Problem:
    faults = [{"field": name, "message": "this field is not known here"} for name in query]
    names = ", ".join(query)
    detail = f"This call takes no query, but a body: {names}."
    return Problem(422, "invalid_request", detail, errors=faults)


def _decoded(value: str) -> str:
    """A part of the path. Raises Problem if it is not text, as no name here is."""
    with suppress(UnicodeDecodeError):
        text = unquote_to_bytes(value.encode("latin-1")).decode()
        if is_readable(text):
            return text
    raise Problem(404, "not_found", "There is nothing at this path.")


def _list_name(path: str, query: Mapping[str, str]) -> str:
    wanted = sorted((name, value) for name, value in query.items() if name not in _OF_PAGES)
    return f"{path}?{urlencode(wanted)}"
