"""The operator API as a room of the portal."""

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp

from api.operator.call import CREATED, Call, Reply
from api.operator.door import Door
from api.operator.openapi import document
from api.operator.routes import ROUTES, Route
from api.shared.bodies import read_body, read_upload
from api.shared.forms import read_form
from api.shared.problems import HANDLERS, Problem
from api.shared.requests import Encoded, decoded, object_of, query_of
from api.shared.services import PortalServices
from models.directory.idempotency import Claim

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
        query = query_of(request)
        form = read_form(route.form, object_of(request, body) if route.changes else query)
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
            path={name: decoded(value) for name, value in request.path_params.items()},
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


def _unknown_query(query: Mapping[str, str]) -> Problem:
    faults = [{"field": name, "message": "this field is not known here"} for name in query]
    names = ", ".join(query)
    detail = f"This call takes no query, but a body: {names}."
    return Problem(422, "invalid_request", detail, errors=faults)


def _list_name(path: str, query: Mapping[str, str]) -> str:
    wanted = sorted((name, value) for name, value in query.items() if name not in _OF_PAGES)
    return f"{path}?{urlencode(wanted)}"
