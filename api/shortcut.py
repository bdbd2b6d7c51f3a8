"""The way of a bet past Starlette's middleware and router, which cost more than most of our steps.

Every other request, and every path or method that is not exactly a bet's, goes through them.
"""

from collections.abc import Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.answers import render_error, render_unexpected
from api.errors import ApiError

#: Where a session is in a path.
SESSION_PATH: Final = "/v1/sessions/{session_id}"
_BEFORE_SESSION = SESSION_PATH.partition("{")[0]
_AFTER_SESSION = "/bets/"
_ENCODED_SLASH = b"%2f"


class ShortcutApp(Starlette):
    """Starlette's app; `POST /v1/sessions/{session_id}/bets/{name}` goes straight to its endpoint.

    The endpoint is the route's own, and is given what the route would give it; its errors are
    answered as the app's handlers answer them.
    """

    def __init__(self, bets: Mapping[str, ASGIApp], **parts: Any) -> None:
        """`bets`: the endpoints by name, which are among the routes too; `parts`: Starlette's."""
        super().__init__(**parts)
        self._bets = bets
        self._shortcut = ServerErrorMiddleware(self._answer, handler=render_unexpected)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live from start to stop."""
        if _ENCODED_SLASH in (scope.get("raw_path") or b"").lower():
            # It is data and separates nothing, and no path of ours has a slash as data.
            scope["app"], scope["endpoint"] = self, _no_such_path
            await self._shortcut(scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] == "POST" and not scope.get("root_path"):
            path: str = scope["path"]
            session_id, found, name = path[len(_BEFORE_SESSION) :].partition(_AFTER_SESSION)
            if (
                found
                and name in self._bets
                and session_id
                and "/" not in session_id
                and path.startswith(_BEFORE_SESSION)
            ):
                scope["app"] = self
                scope["path_params"] = {"session_id": session_id}
                scope["endpoint"] = self._bets[name]
                await self._shortcut(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await scope["endpoint"](scope, receive, send)
        except ApiError as error:
            response = await render_error(Request(scope), error)
            await response(scope, receive, send)


async def _no_such_path(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    raise ApiError(404, 2, "Not Found.")
