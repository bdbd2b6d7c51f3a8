"""Answers as bytes: JSON with exact numbers, and always a code."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from api.calls import well_formed_nonce
from api.errors import NAMES, ApiError
from settings import settings

_JSON = "application/json; charset=utf-8"


async def send_done(send: Send, names: Sequence[str], result: Mapping[str, object]) -> None:
    """Answer code 1 with transaction ids under their names, and the balance."""
    ids = result["ids"]
    assert isinstance(ids, list)  # noqa: S101 - `Outcome.to_json` makes it one
    fields = "".join([f'"{name}":"{id_}",' for name, id_ in zip(names, ids, strict=True)])
    body = f'{{{fields}"balance":{result["balance"]},"_responseCode":1}}'.encode()
    headers = [(b"content-type", _JSON.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def render_error(request: Request, error: Exception) -> Response:
    """Answer an ApiError."""
    assert isinstance(error, ApiError)  # noqa: S101 - registered for nothing else
    fields = {
        "_responseCode": error.code,
        "error": NAMES[error.code],
        "message": error.message,
    }
    nonce = well_formed_nonce(request.scope)
    if nonce is not None:
        fields["requestId"] = nonce
    text = json.dumps(fields, ensure_ascii=False)
    if error.balance is not None:
        text = f'{text[:-1]}, "balance": {error.balance}}}'
    headers = {"retry-after": str(settings().retry_after_seconds)} if error.code == 99 else None
    return Response(text, error.status, headers, media_type=_JSON)


async def render_http_exception(request: Request, error: Exception) -> Response:
    """Answer what Starlette refuses: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    phrase = HTTPStatus(error.status_code).phrase
    response = await render_error(request, ApiError(error.status_code, 2, f"{phrase}."))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def render_unexpected(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer what nobody expected; the server logs it."""
    return await render_error(
        request, ApiError(500, 0, "Something failed here: repeat with the same betId, or ask.")
    )
