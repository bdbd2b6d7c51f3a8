"""What the sandbox notes of a request: what came, what was made of it, and the answer."""

import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.types import Scope

from api.shared.json_object import read_object
from api.wallet.sandbox.answer import Answer
from models.errors import InvalidRequest
from server.exchange import BODY

_BODY_CHARACTERS: Final = 4_096
_VALUE_CHARACTERS: Final = 256
_HEADERS_MAX: Final = 24
#: Headers whose values are nobody's business here.
_HIDDEN: Final = (b"authorization", b"cookie", b"proxy-authorization")


def record_of(scope: Scope, answer: Answer, fault: str, seconds: float) -> dict[str, object]:
    """The record of a request, as JSON values. Long texts are cut."""
    body = scope.get(BODY) or b""
    target = (scope.get("raw_path") or scope["path"].encode()) + (
        b"?" + scope["query_string"] if scope.get("query_string") else b""
    )
    said = _object(answer.body)
    explain = said.get("explain")
    return {
        "time": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
        "method": scope["method"],
        "target": target.decode("latin-1")[:_BODY_CHARACTERS],
        "call": scope["path"].rpartition("/")[2][:_VALUE_CHARACTERS],
        "betId": _bet_id(body),
        "status": answer.status,
        "code": said.get("_responseCode"),
        "error": said.get("error"),
        "reason": said.get("reason"),
        "explain": explain.get("mistake") if isinstance(explain, dict) else None,
        "sentence": explain.get("sentence") if isinstance(explain, dict) else said.get("message"),
        "fault": fault or None,
        "milliseconds": round(seconds * 1000, 1),
        "request": {"headers": _headers(scope["headers"]), "body": _text(body)},
        "answer": {"headers": _headers(answer.headers), "body": _text(answer.body)},
    }


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> list[list[str]]:
    return [
        [
            name.decode("latin-1")[:_VALUE_CHARACTERS],
            "(hidden)" if name in _HIDDEN else value.decode("latin-1")[:_VALUE_CHARACTERS],
        ]
        for name, value in list(headers)[:_HEADERS_MAX]
    ]


def _text(body: bytes) -> str:
    return body.decode(errors="backslashreplace")[:_BODY_CHARACTERS]


def _bet_id(body: bytes) -> str | None:
    try:
        found = read_object(body).get("betId") if body else None
    except InvalidRequest:
        return None
    return str(found)[:_VALUE_CHARACTERS] if isinstance(found, str) else None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
