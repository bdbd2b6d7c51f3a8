"""Logs one line for each answer that is not success: which request it was, and why.

Per ten seconds only the first few lines of one kind are written, and then how many more there were.
The others are not even formatted, so that a flood costs next to nothing. Of the successful
answers it logs only those of the sample.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from starlette.types import Scope

from api.wallet.answer_counts import count_error
from api.wallet.errors import ApiError
from logs.fields import fields
from logs.shown import shown
from logs.throttle import Throttle
from models.errors import InvalidRequest
from models.json_body import read_object
from models.reason import Reason
from server.exchange import BODY

_LOG = logging.getLogger("betcore.answers")
_WINDOW_SECONDS: Final = 10.0
#: Lines of one kind per window. Usual answers (no money, a closed session) are not an alarm.
_USUAL_MOST, _UNUSUAL_MOST = 5, 10
_USUAL: Final = range(2, 8)  # codes
#: Causes that are an alarm although their code is usual: a provider wins more than it may.
_ALARMING: Final = frozenset({Reason.WIN_ABOVE_LIMIT, Reason.WIN_ABOVE_DAILY_LIMIT})
_LOOK_EVERY_SECONDS: Final = 1.0


class _Kind(NamedTuple):
    """What lines of one kind have in common. Nothing in it comes from outside."""

    status: int
    code: int
    cause: str


_throttle: Throttle[_Kind] = Throttle(_WINDOW_SECONDS)


def log_answer(
    error: ApiError,
    headers: Iterable[tuple[bytes, bytes]] = (),
    path: str | bytes = "",
    query: bytes = b"",
    body: bytes = b"",
) -> None:
    """Record that a request was answered with this error: count it, and perhaps log it.

    Call it once for each such answer, wherever the answer is made. `headers` are the request's,
    with names in lower case. `path` may have a query. Leave out what is not known.
    """
    cause, *detail = error.why or (error.reason or error.message,)
    kind = _Kind(error.status, error.code, str(cause))
    headers = list(headers)
    count_error(error, kind.cause, headers, path)
    is_usual = _is_usual(kind)
    if not _throttle.lets(kind, _USUAL_MOST if is_usual else _UNUSUAL_MOST):
        return
    reason = f"{cause}: {str(detail[0]) % tuple(detail[1:])}" if detail else cause
    found = dict(reversed(headers))  # if a header is there twice, the first one counts
    bet = _bet_in(body) if body else _bet_asked(query)
    _LOG.log(
        _level(kind),
        "answer status=%d code=%d reason=%s request=%s provider=%s session=%s bet=%s",
        error.status,
        error.code,
        shown(reason),
        shown(found.get(b"x-request-id")),
        shown(found.get(b"x-counterparty-id")),
        shown(_session_in(path)),
        shown(bet),
        extra=fields(
            status=error.status,
            code=int(error.code),
            reason=str(reason),
            request=found.get(b"x-request-id"),
            provider=found.get(b"x-counterparty-id"),
            session=_session_in(path),
            bet=bet,
        ),
    )


def log_success_in(scope: Scope) -> None:
    """Log one of the sampled answers with code 1."""
    found = dict(scope["headers"])
    body = scope.get(BODY, b"")
    about = {
        "request": found.get(b"x-request-id"),
        "provider": found.get(b"x-counterparty-id"),
        "session": _session_in(scope["path"]),
        "bet": _bet_in(body) if body else _bet_asked(scope.get("query_string", b"")),
    }
    told = " ".join(f"{name}={shown(value)}" for name, value in about.items())
    _LOG.info("answer status=200 code=1 %s", told, extra=fields(status=200, code=1, **about))


def log_answer_in(scope: Scope, error: ApiError) -> None:
    """Record that the request of an ASGI scope was answered with this error."""
    query = scope.get("query_string", b"")
    log_answer(error, scope["headers"], scope["path"], query, scope.get(BODY, b""))


def sum_up(*, everything: bool = False) -> None:
    """Log how many lines were left out in the windows that ended.

    `everything`: in the present windows too, for the end of the process.
    """
    for kind, count in _throttle.ended(everything=everything):
        _LOG.log(
            _level(kind),
            "answer status=%d code=%d reason=%s … and %d more like it",
            kind.status,
            kind.code,
            shown(kind.cause),
            count,
        )


async def keep_summing_up() -> None:
    """Log these numbers until cancelled, then for the last time."""
    try:
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            sum_up()
    finally:
        sum_up(everything=True)


def _level(kind: _Kind) -> int:
    return logging.INFO if _is_usual(kind) else logging.WARNING


def _is_usual(kind: _Kind) -> bool:
    return kind.code in _USUAL and kind.cause not in _ALARMING


def _session_in(path: str | bytes) -> str | None:
    text = path.decode("latin-1") if isinstance(path, bytes) else path
    parts = text.partition("?")[0].split("/", 4)
    return parts[3] if len(parts) > 3 and parts[1:3] == ["v1", "sessions"] else None


def _bet_in(body: bytes) -> object:
    try:
        bet_id = read_object(body).get("betId")
    except InvalidRequest:
        return None
    return bet_id if isinstance(bet_id, str) else None  # a number is a str too (`JsonNumber`)


def _bet_asked(query: bytes) -> str | None:
    try:
        values = parse_qsl(query.decode("latin-1"), max_num_fields=16)
    except ValueError:
        return None
    return next((value for name, value in values if name == "betId"), None)
