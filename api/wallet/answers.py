"""Answers as bytes: JSON with exact numbers, and always a code."""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from api.wallet.answer_log import log_answer_in
from api.wallet.calls import well_formed_nonce
from api.wallet.errors import NAMES, ApiError, failed
from models.codes import Code
from models.exact_json import exact_json
from models.money import plain
from models.outcome import Outcome

JSON = "application/json; charset=utf-8"
_JSON = JSON.encode()


async def send_answer(send: Send, body: bytes) -> None:
    """Answer with status 200 and this body."""
    headers = [(b"content-type", _JSON), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def done(names: Sequence[str], outcome: Outcome) -> bytes:
    """Return the body of code 1: transaction ids by name, and the exact balance."""
    assert outcome.balance is not None  # noqa: S101 - with code 1 the player is known
    ids = "".join([f'"{name}":"{id_}",' for name, id_ in zip(names, outcome.ids, strict=True)])
    return f'{{{ids}"balance":{plain(outcome.balance)},"_responseCode":1}}'.encode()


def found(fields: Mapping[str, object]) -> bytes:
    """Return the body of code 1 for a question."""
    return exact_json(fields, compact=True).encode()


def error_body(error: ApiError, request_headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the body of a refusal. `request_headers` may hold the nonce to repeat."""
    fields = {
        "_responseCode": error.code,
        "error": NAMES[error.code],
        "message": error.message,
    }
    if error.reason is not None:
        fields["reason"] = error.reason
    nonce = well_formed_nonce(request_headers)
    if nonce is not None:
        fields["requestId"] = nonce
    text = json.dumps(fields, ensure_ascii=False)
    if error.balance is not None:
        text = f'{text[:-1]}, "balance": {plain(error.balance)}}}'
    return text


async def render_error(request: Request, error: Exception) -> Response:
    """Answer an ApiError, and leave a line in the log."""
    assert isinstance(error, ApiError)  # noqa: S101 - registered for nothing else
    log_answer_in(request.scope, error)
    text = error_body(error, request.scope["headers"])
    headers = (
        {"retry-after": str(request.app.state.services.settings.retry_after_seconds)}
        if error.code == Code.TRY_LATER
        else None
    )
    return Response(text, error.status, headers, media_type=JSON)


async def render_http_exception(request: Request, error: Exception) -> Response:
    """Answer what Starlette refuses: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    phrase = HTTPStatus(error.status_code).phrase
    response = await render_error(request, ApiError(error.status_code, Code.INVALID, f"{phrase}."))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def render_unexpected(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer an unexpected error. The server logs it with its traceback."""
    return await render_error(request, failed())
