"""What a request of an API says: its path as it was sent, its query, and the object in its body."""

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from api.shared.bodies import media_type_of
from api.shared.json_object import read_object
from api.shared.problems import Problem
from models.commands import is_readable
from models.errors import InvalidRequest


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


def object_of(request: Request, body: bytes) -> Mapping[str, object]:
    """The object in the body. No body is an empty object. Raises Problem."""
    if not body:
        return {}
    if media_type_of(request) != "application/json":
        raise Problem(415, "unsupported_media_type", "Send the body as application/json.")
    try:
        return read_object(body)
    except InvalidRequest as error:
        raise Problem(400, "invalid_json", str(error)) from None


def query_of(request: Request) -> dict[str, str]:
    """The query. Raises Problem for a name that is given twice, or is not UTF-8."""
    items = request.query_params.multi_items()
    found = dict(items)
    if len(found) != len(items):
        raise Problem(422, "invalid_request", "The query names a parameter twice.")
    if any("\ufffd" in part for item in items for part in item):
        raise Problem(422, "invalid_request", "The query is not UTF-8.")
    return found


def decoded(value: str) -> str:
    """A part of the path. Raises Problem if it is not text, as no name here is."""
    with suppress(UnicodeDecodeError):
        text = unquote_to_bytes(value.encode("latin-1")).decode()
        if is_readable(text):
            return text
    raise Problem(404, "not_found", "There is nothing at this path.")
