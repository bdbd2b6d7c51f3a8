"""The console as a room of the portal: a table of pages, and what holds for every page."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from api.console import live, people, providers, queue, reports, search, users
from api.console.door import LOGIN, SESSION, Door, csrf_of, local, require_own_form
from api.console.rendering import Files, Templates
from api.console.visit import DONE, Go, View, Visit, form_of, query_of
from api.shared.headers import WithHeaders
from api.shared.problems import FAULT, Problem, problem_of
from api.shared.services import PortalServices
from models.directory.console_users import ShownUser, UserRole
from models.errors import BetcoreError

SUPPORT, OPERATOR, ADMIN = UserRole
_SEE_OTHER = 303
_FAILURES = (Problem, BetcoreError, HTTPException, Exception)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class Place(NamedTuple):
    """A page, or a change: who may see or make it, and the function that answers."""

    method: str
    path: str
    role: UserRole
    handler: Callable[[Visit], View | Go]


#: Every page and every change of the console. A change is a POST, and a GET changes nothing.
PLACES = (
    Place("GET", "/", SUPPORT, search.home),
    Place("GET", "/search", SUPPORT, search.search_),
    Place("GET", "/bet", SUPPORT, search.bet),
    Place("GET", "/bets", SUPPORT, search.bets),
    Place("GET", "/players", SUPPORT, people.players),
    Place("GET", "/player", SUPPORT, people.player),
    Place("POST", "/player/block", OPERATOR, people.block),
    Place("POST", "/player/unblock", OPERATOR, people.unblock),
    Place("GET", "/statement", SUPPORT, people.statement),
    Place("GET", "/sessions", SUPPORT, people.sessions),
    Place("GET", "/session", SUPPORT, people.session),
    Place("POST", "/session/close", OPERATOR, people.close),
    Place("POST", "/session/extend", OPERATOR, people.extend),
    Place("GET", "/providers", SUPPORT, providers.providers),
    Place("GET", "/provider", SUPPORT, providers.provider),
    Place("POST", "/provider/suspend", OPERATOR, providers.suspend),
    Place("POST", "/provider/resume", OPERATOR, providers.resume),
    Place("POST", "/provider/lock", OPERATOR, providers.lock),
    Place("POST", "/provider/unlock", OPERATOR, providers.unlock),
    Place("POST", "/provider/rate", OPERATOR, providers.change_rate),
    Place("POST", "/provider/wins", OPERATOR, providers.change_wins),
    Place("POST", "/provider/allow-list", OPERATOR, providers.change_allow_list),
    Place("POST", "/provider/secret/add", ADMIN, providers.new_secret),
    Place("POST", "/provider/secret/revoke", ADMIN, providers.end_secret),
    Place("GET", "/queue", SUPPORT, queue.queue),
    Place("POST", "/queue/suspend", OPERATOR, queue.suspend),
    Place("POST", "/queue/resume", OPERATOR, queue.resume),
    Place("POST", "/queue/requeue", OPERATOR, queue.requeue),
    Place("GET", "/live", SUPPORT, live.live),
    Place("GET", "/house", SUPPORT, reports.house),
    Place("GET", "/audit", SUPPORT, reports.audit),
    Place("GET", "/ledger", SUPPORT, reports.ledger),
    Place("GET", "/users", ADMIN, users.users),
    Place("POST", "/users/add", ADMIN, users.add),
    Place("POST", "/users/password", ADMIN, users.password),
    Place("POST", "/users/role", ADMIN, users.role),
    Place("POST", "/users/revoke", ADMIN, users.revoke),
)


def create_room(services: PortalServices) -> ASGIApp:
    """The room."""
    console = Console(services)
    app = Starlette(
        routes=[
            Route("/login", console.login_form, methods=["GET"]),
            Route("/login", console.log_in, methods=["POST"]),
            Route("/logout", console.log_out, methods=["POST"]),
            Route("/static/{version}/{name}", console.file, methods=["GET"]),
            *[Route(at.path, console.endpoint(at), methods=[at.method]) for at in PLACES],
        ],
        exception_handlers=dict.fromkeys(_FAILURES, console.failed),
    )
    app.router.redirect_slashes = False
    return WithHeaders(app, HEADERS)


class Console:
    """Answers requests: finds out who asks, asks the page's function, and renders the page."""

    def __init__(self, services: PortalServices) -> None:
        self._services = services
        self._door = Door(services)
        self._templates = Templates()
        self._files = Files()

    def endpoint(self, place: Place) -> Callable[[Request], object]:
        """The endpoint of a page or a change."""

        async def answer(request: Request) -> Response:
            user = await self._door.user_of(request)
            if user is None:
                return self._to_login(request)
            request.state.user = user
            changes = place.method == "POST"
            fields = query_of(request)
            if changes:
                fields = await form_of(request, self._services.settings.body_bytes_max)
                require_own_form(self._door.cookie(request, SESSION), fields)
            if not user.role.includes(place.role):
                detail = f"This needs the role {place.role}. Your role is {user.role}."
                raise Problem(403, "role_missing", detail)
            return await self._answer(request, place, user, fields)

        return answer

    async def _answer(
        self, request: Request, place: Place, user: ShownUser, fields: dict[str, str]
    ) -> Response:
        filters = sorted((k, v) for k, v in fields.items() if k not in ("cursor", "done"))
        visit = Visit(
            services=self._services,
            who=f"user:{user.name}",
            address=self._services.caller(request.scope),
            list_name=f"console {place.path}?{urlencode(filters)}",
            user=user,
            fields=fields,
        )
        found = await run_in_threadpool(place.handler, visit)
        if isinstance(found, Go):
            return RedirectResponse(request.scope["root_path"] + found.path, _SEE_OTHER)
        done = DONE.get(fields.get("done", ""), "")
        return self._page(request, found, user, status=found.status, done=done)

    async def login_form(self, request: Request) -> Response:
        """The form to log in with."""
        if await self._door.user_of(request) is not None:
            return self._home(request)
        return self._login(request, next_=query_of(request).get("next", ""))

    async def log_in(self, request: Request) -> Response:
        """Log in, and go to the page that was asked for."""
        fields = await form_of(request, self._services.settings.body_bytes_max)
        require_own_form(self._door.cookie(request, LOGIN), fields)
        name, next_ = fields.get("name", "").strip(), fields.get("next", "")
        try:
            token = await self._door.log_in(request, name, fields.get("password", ""))
        except Problem as problem:
            return self._login(request, next_, problem)
        to = local(next_, request.scope["root_path"])
        response = RedirectResponse(to, _SEE_OTHER)
        self._door.set_cookie(request, response, SESSION, token)
        self._door.set_cookie(request, response, LOGIN, "")
        return response

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        user = await self._door.user_of(request)
        if user is not None:
            fields = await form_of(request, self._services.settings.body_bytes_max)
            require_own_form(self._door.cookie(request, SESSION), fields)
            await self._door.log_out(request, user)
        response = RedirectResponse(f"{request.scope['root_path']}/login", _SEE_OTHER)
        self._door.set_cookie(request, response, SESSION, "")
        return response

    async def file(self, request: Request) -> Response:
        """A style sheet, a script or a picture. It never changes under its address."""
        found = self._files.find(request.path_params["name"])
        if found is None or request.path_params["version"] != self._files.version:
            raise HTTPException(404)
        body, kind = found
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(body, headers=headers, media_type=kind)

    async def failed(self, request: Request, error: Exception) -> Response:
        """The page that says what went wrong."""
        try:
            problem = problem_of(error)
        except Exception as fault:
            if fault is not error:
                raise
            problem = FAULT
        user = getattr(request.state, "user", None)
        values = {"problem": problem.document}
        return self._page(
            request, View("error", values), user, status=problem.status, headers=problem.headers
        )

    def _login(self, request: Request, next_: str, problem: Problem | None = None) -> Response:
        cookie = self._door.login_cookie(request)
        status = 200 if problem is None else problem.status
        values = {
            "next": local(next_, request.scope["root_path"]),
            "trouble": "" if problem is None else str(problem),
            "login_csrf": csrf_of(cookie),
        }
        headers = None if problem is None else problem.headers
        response = self._page(request, View("login", values), None, status=status, headers=headers)
        self._door.set_cookie(request, response, LOGIN, cookie)
        return response

    def _to_login(self, request: Request) -> Response:
        to = f"{request.scope['root_path']}/login"
        if request.method in ("GET", "HEAD"):
            query = request.url.query
            asked = request.scope["path"] + (f"?{query}" if query else "")
            to += f"?{urlencode({'next': asked})}"
        return RedirectResponse(to, _SEE_OTHER)

    def _home(self, request: Request) -> Response:
        return RedirectResponse(f"{request.scope['root_path']}/", _SEE_OTHER)

    def _page(
        self,
        request: Request,
        view: View,
        user: ShownUser | None,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        done: str = "",
    ) -> HTMLResponse:
        base = request.scope["root_path"]
        common: dict[str, object] = {
            "base": base,
            "static": f"{base}/static/{self._files.version}",
            "here": request.scope["path"].removeprefix(base).strip("/").partition("/")[0],
            "user": user,
            "csrf": csrf_of(self._door.cookie(request, SESSION)) if user else "",
            "can_act": user is not None and user.role.includes(OPERATOR),
            "can_manage": user is not None and user.role.includes(ADMIN),
            "dashboard_url": self._services.settings.dashboard_url,
            "done": done,
        }
        return HTMLResponse(
            self._templates.render(view.template, common | dict(view.values)), status, headers
        )
