"""One call as it came: its four headers, and the exact bytes of its body."""

import asyncio
import re
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from starlette.types import Receive, Scope

from api.wallet.errors import invalid, too_large, try_later, unauthorized
from models.deadline import Deadline
from server.exchange import BODY

_DIGITS_MAX = 18
_NONCE = re.compile(rb"[0-9a-fA-F]{32}")
#: The four headers of every call, and the form of each. None may hold the end of a line.
HEADER_FORMS = {
    b"x-counterparty-id": re.compile(rb"[!-~]{1,64}"),
    b"x-timestamp": re.compile(rb"[0-9]{1,16}"),
    b"x-request-id": _NONCE,
    b"x-sign": re.compile(rb"[0-9a-f]{64}"),
}
_IN_ORDER = itemgetter(*HEADER_FORMS)
_FOUR_LINES = re.compile(b"\n".join([form.pattern for form in HEADER_FORMS.values()]))


class Call(NamedTuple):
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
    body: bytes | None = scope.get(BODY)
    if body is None or len(body) > bytes_max:
        # The log finds the bet in the body of a refused request.
        body = scope[BODY] = await _body(scope, receive, bytes_max, deadline)
    headers = _headers(scope)
    if headers is None:
        raise unauthorized(_what_is_wrong(scope))
    return Call(*headers, body)


def well_formed_nonce(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the `X-Request-Id` of these headers if there is exactly one and it is well-formed."""
    nonces = [value for name, value in headers if name == b"x-request-id"]
    if len(nonces) != 1 or not _NONCE.fullmatch(nonces[0]):
        return None
    return str(nonces[0].decode())


def _headers(scope: Scope) -> tuple[bytes, bytes, bytes, bytes] | None:
    """Return the four headers, or None if one is missing, malformed or there twice."""
    found = [header for header in scope["headers"] if header[0] in HEADER_FORMS]
    named = dict(found)
    if len(found) != len(HEADER_FORMS) or len(named) != len(HEADER_FORMS):
        return None
    values: tuple[bytes, bytes, bytes, bytes] = _IN_ORDER(named)
    return values if _FOUR_LINES.fullmatch(b"\n".join(values)) else None


def _what_is_wrong(scope: Scope) -> str:
    """Return, for the log, which of the four headers is missing, malformed or there twice."""
    for name, form in HEADER_FORMS.items():
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
                    raise too_large(bytes_max)
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
                raise too_large(bytes_max)
