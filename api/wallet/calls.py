"""One call as it came: its four headers, and the exact bytes of its body."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope

from api.wallet.errors import ApiError, invalid, try_later, unauthorized
from models.deadline import Deadline

#: The key in a scope for the body of a refused request. The body names the bet.
BODY: Final = "betcore.body"

_COUNTERPARTY = re.compile(rb"[!-~]{1,64}")
_TIMESTAMP = re.compile(rb"[0-9]{1,16}")
_NONCE = re.compile(rb"[0-9a-fA-F]{32}")
_SIGNATURE = re.compile(rb"[0-9a-f]{64}")
_DIGITS_MAX = 18
_FORMS = {
    b"x-counterparty-id": _COUNTERPARTY,
    b"x-timestamp": _TIMESTAMP,
    b"x-request-id": _NONCE,
    b"x-sign": _SIGNATURE,
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request with well-formed headers. Nothing about it is proved yet."""

    counterparty_id: bytes
    timestamp: bytes
    nonce: bytes
    signature: bytes
    body: bytes

    @property
    def stamp_ms(self) -> int:
        """The time at which the request says it was made, in Unix milliseconds."""
        return int(self.timestamp)

    @property
    def message(self) -> bytes:
        """The signed message: the body, if there is one, and three headers, joined by dots."""
        parts = (self.counterparty_id, self.timestamp, self.nonce)
        return b".".join((self.body, *parts) if self.body else parts)


async def read_call(scope: Scope, receive: Receive, bytes_max: int, deadline: Deadline) -> Call:
    """Read a request's body, then the form of its headers.

    Raises ApiError: 413 for a body over `bytes_max`, 503 for one that does not arrive in time, 401
    for a header that is missing, malformed or there twice.
    """
    headers = _headers(scope)
    body = await _body(scope, receive, bytes_max, deadline)
    if headers is None:
        scope[BODY] = body
        raise unauthorized(_what_is_wrong(scope))
    return Call(
        headers[b"x-counterparty-id"],
        headers[b"x-timestamp"],
        headers[b"x-request-id"],
        headers[b"x-sign"],
        body,
    )


def well_formed_nonce(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the `X-Request-Id` of these headers if there is exactly one and it is well-formed."""
    nonces = [value for name, value in headers if name == b"x-request-id"]
    if len(nonces) != 1 or not _NONCE.fullmatch(nonces[0]):
        return None
    return str(nonces[0].decode())


def _headers(scope: Scope) -> dict[bytes, bytes] | None:
    """Return the four headers, or None if one is missing, malformed or there twice."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        form = _FORMS.get(name)
        if form is not None:
            if name in found or not form.fullmatch(value):
                return None
            found[name] = value
    return found if len(found) == len(_FORMS) else None


def _what_is_wrong(scope: Scope) -> str:
    """Return, for the log, which of the four headers is missing, malformed or there twice."""
    for name, form in _FORMS.items():
        values = [value for header, value in scope["headers"] if header == name]
        if len(values) != 1 or not form.fullmatch(values[0]):
            fault = "missing" if not values else "malformed" if len(values) == 1 else "there twice"
            return f"{name.decode().title()} is {fault}"
    return "a header is missing or malformed"


async def _body(scope: Scope, receive: Receive, bytes_max: int, deadline: Deadline) -> bytes:
    _refuse_announced(scope, bytes_max)
    body: bytes = b""
    try:
        # The first part has a limit too: a body may be announced and never come.
        async with asyncio.timeout(deadline.seconds_left()):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise invalid("The body ended early.")
                part: bytes = message.get("body", b"")
                body += part
                if len(body) > bytes_max:
                    raise _too_large(bytes_max)
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        raise try_later("The body did not arrive in time.") from None


def _refuse_announced(scope: Scope, bytes_max: int) -> None:
    """Refuse a body that announces too great a length, before reading it."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            digits = value.lstrip(b"0")  # a number may be too long for `int`
            if len(digits) > _DIGITS_MAX or int(digits or b"0") > bytes_max:
                raise _too_large(bytes_max)


def _too_large(bytes_max: int) -> ApiError:
    return invalid(f"The body is longer than {bytes_max} bytes.", 413)
