"""Answers as whole HTTP responses, for what is answered without the app."""

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Final

from api.answers import JSON, error_body
from api.errors import OVERLOADED, ApiError, try_later
from settings import settings

_NONCE: Final = b"0" * 32


def answer(
    error: ApiError,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    keep: bool,
    with_body: bool = True,
) -> bytes:
    """The whole answer to a request with these headers; one to a HEAD is without its body."""
    body = error_body(error, headers).encode()
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        f"content-type: {JSON}",
        f"content-length: {len(body)}",
    ]
    if error.code == 99:
        lines.append(f"retry-after: {settings().retry_after_seconds}")
    if error.status == 405:
        lines.append("allow: GET, HEAD, POST")
    if not keep:
        lines.append("connection: close")
    return "\r\n".join((*lines, "", "")).encode() + (body if with_body else b"")


def turned_away(nonce: str | None, *, keep: bool) -> bytes:
    """The answer to a bet that is turned away: made once, since refusing must be cheap."""
    made = _made_once(nonce is not None, keep)
    return made if nonce is None else made.replace(_NONCE, nonce.encode())


@cache
def _made_once(has_nonce: bool, keep: bool) -> bytes:
    headers = [(b"x-request-id", _NONCE)] if has_nonce else []
    return answer(try_later(OVERLOADED), headers, keep=keep)
