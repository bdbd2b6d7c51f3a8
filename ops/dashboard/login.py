"""The dashboard's entrance: HTTP Basic login, health check, and the headers of every answer."""

import base64
import hashlib
import hmac
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEALTH_PATH = "/healthz"
CHALLENGE = {"WWW-Authenticate": 'Basic realm="betcore dashboard", charset="UTF-8"'}

# Headers of every answer that does not set them itself. The pages have their own policy, which
# lets their scripts run. The browser may keep static files.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Door:
    """An ASGI application that lets a client through to another one only with name and password.

    `close` is called once, after the server has shut down.
    """

    def __init__(self, app: ASGIApp, user: str, password: str, close: Callable[[], None]) -> None:
        self._app = app
        self._user = _digest(user.encode())
        self._password = _digest(password.encode())
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            self._close()
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._choose(scope)(scope, receive, send_with_headers)

    def _choose(self, scope: Scope) -> ASGIApp:
        if scope["path"] == HEALTH_PATH and scope["method"] in ("GET", "HEAD"):
            # This needs no Redis, so that it is true of this process even while Redis is down.
            return JSONResponse({"status": "ok"})
        if self._knows(dict(scope["headers"]).get(b"authorization", b"")):
            return self._app
        return PlainTextResponse("Log in.", 401, CHALLENGE)

    def _knows(self, authorization: bytes) -> bool:
        scheme, _, credentials = authorization.partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True)
        except ValueError:
            return False
        user, _, password = decoded.partition(b":")

        # Digests have equal length, so the time of a comparison does not reveal the length of a
        # secret. `&` instead of `and`: a wrong name takes as long as a wrong password.
        return hmac.compare_digest(_digest(user), self._user) & hmac.compare_digest(
            _digest(password), self._password
        )


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
