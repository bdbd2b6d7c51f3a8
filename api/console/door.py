"""Who may enter the console: logins, cookies, and the proof that a form is ours."""

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta

import anyio
from cachetools import LRUCache
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.shared.problems import Problem, too_many
from api.shared.services import PortalServices
from api.shared.throttles import Buckets
from models.audit.log import operation
from models.database.failures import unavailable
from models.directory.console_users import (
    BadLogin,
    ShownUser,
    begin_session,
    check_password,
    end_session,
    find_session,
    note_refused_login,
)
from server.callers import site_of

SESSION = "session"
LOGIN = "login"
CSRF = "csrf"
_BY_ITSELF = "X-Refresh"  # a header of static/console.js
_LASTS = timedelta(hours=12)  # however busy a user is
_IDLE = timedelta(minutes=30)
_HASHES_AT_ONCE = 2  # each takes 64 MiB
_GOOD_MAX = 10_000
_NAME_MAX = 64  # no user has a longer name
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # visible ASCII without a backslash
_BAD = "The name or the password is wrong."


class Door:
    """Logs users in and out, and knows them by their cookies."""

    def __init__(self, services: PortalServices) -> None:
        failures = services.settings.operator_key_failures_per_minute
        self._services = services
        self._key = services.derive("console sessions 1")
        self._failures = Buckets(failures / 60, failures)
        self._hashing = anyio.CapacityLimiter(_HASHES_AT_ONCE)
        # Whoever guesses a user's password elsewhere cannot shut this user out here.
        self._good: LRUCache[tuple[str, str], bool] = LRUCache(_GOOD_MAX)

    async def user_of(self, request: Request) -> ShownUser | None:
        """Who is logged in, or None. Raises LedgerUnavailable.

        A page that our script loads again by itself does not prolong the session: nobody may be
        there.
        """
        token = self.cookie(request, SESSION)
        if not token:
            return None
        return await run_in_threadpool(self._find, token, _BY_ITSELF not in request.headers)

    async def log_in(self, request: Request, name: str, password: str) -> str:
        """The token of a new session. Raises Problem: 401 for a bad login, 429 for too many."""
        address = self._services.caller(request.scope)
        site = site_of(address)
        counted = [f"address {site}"]
        if (name, site) not in self._good:
            counted.append(f"name {name[:_NAME_MAX]}")
        async with self._hashing:
            if wait := max(map(self._failures.wait_seconds, counted)):
                raise too_many(wait, "Too many wrong logins. Wait, then try again.")
            try:
                token = await run_in_threadpool(self._begin, address, name, password)
            except BadLogin:
                for one in counted:
                    self._failures.take(one)
                self._good.pop((name, site), None)
                await run_in_threadpool(self._note_refused, address, name)
                raise Problem(401, "bad_login", _BAD) from None
        self._good[name, site] = True
        return token

    async def log_out(self, request: Request, user: ShownUser) -> None:
        """End the session of this request."""
        address = self._services.caller(request.scope)
        await run_in_threadpool(self._end, address, user, self.cookie(request, SESSION))

    def cookie(self, request: Request, kind: str) -> str:
        """The value of one of our cookies, or ""."""
        return request.cookies.get(self._name(request, kind), "")

    def login_cookie(self, request: Request) -> str:
        """What binds a login form to a browser: the cookie that it has, or a new value."""
        return self.cookie(request, LOGIN) or secrets.token_urlsafe(32)

    def set_cookie(self, request: Request, response: Response, kind: str, value: str) -> None:
        """Give the browser a cookie that it sends to us alone, or take it away with ""."""
        https = self._services.is_https(request.scope)
        response.set_cookie(
            self._name(request, kind),
            value,
            max_age=None if value else 0,
            path="/" if https else request.scope["root_path"],
            secure=https,
            httponly=True,
            samesite="lax" if kind == SESSION else "strict",
        )

    def _name(self, request: Request, kind: str) -> str:
        # Browsers take a `__Host-` cookie from us alone, by HTTPS alone.
        return (
            f"__Host-betcore-{kind}"
            if self._services.is_https(request.scope)
            else (f"betcore-{kind}")
        )

    def _find(self, token: str, is_alive: bool) -> ShownUser | None:
        url = self._services.database_url
        with unavailable():
            return find_session(url, self._key, token, _IDLE, is_alive=is_alive)

    def _begin(self, address: str, name: str, password: str) -> str:
        url = self._services.database_url
        with unavailable():
            user = check_password(url, name, password)
            author = self._services.author(f"user:{user.name}", address, None)
            with operation(url, author) as database:
                return begin_session(database, user, self._key, _LASTS)

    def _end(self, address: str, user: ShownUser, token: str) -> None:
        author = self._services.author(f"user:{user.name}", address, None)
        with unavailable(), operation(self._services.database_url, author) as database:
            end_session(database, user, self._key, token)

    def _note_refused(self, address: str, name: str) -> None:
        author = self._services.author("console", address, None)
        with unavailable(), operation(self._services.database_url, author) as database:
            note_refused_login(database, name)


def csrf_of(cookie: str) -> str:
    """What a form must carry if the browser has this cookie. Other sites cannot know it."""
    return hmac.digest(cookie.encode(errors="replace"), b"betcore csrf 1", "sha256").hex()


def require_own_form(cookie: str, fields: Mapping[str, str]) -> None:
    """Raises Problem unless the form is one that we gave to the browser with this cookie."""
    given = fields.get(CSRF, "").encode(errors="replace")
    if not cookie or not hmac.compare_digest(given, csrf_of(cookie).encode()):
        raise Problem(
            403, "foreign_form", "This form is not from this login. Load the page, then try again."
        )


def local(path: str, base: str) -> str:
    """The path, if it is one of the console, otherwise the console's first page."""
    fits = len(path) < 2_000 and _LOCAL.fullmatch(path) and path.startswith(f"{base}/")
    return path if fits else f"{base}/"
