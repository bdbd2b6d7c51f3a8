"""Errors as problem details (RFC 9457): what went wrong, in words and as a stable code."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from broker.cash import CashError, InsufficientFunds, QueueUnavailable, ReferenceConflict
from models.database.failures import NotAllowed, NotMigrated
from models.directory.idempotency import InProgress, Reused
from models.directory.sandbox import SandboxFull
from models.errors import (
    AlreadyExists,
    BetcoreError,
    Ended,
    InvalidRequest,
    LedgerUnavailable,
    NotFound,
    PlayerBlocked,
    ProviderLocked,
    ProviderSuspended,
    UnknownCurrency,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1

#: How each error of ours is answered. The first class that fits decides.
_ANSWERS: tuple[tuple[type[BetcoreError], int, str], ...] = (
    (InvalidRequest, 422, "invalid_request"),
    (UnknownCurrency, 422, "unknown_currency"),
    (NotFound, 404, "not_found"),
    (AlreadyExists, 409, "already_exists"),
    (Ended, 409, "ended"),
    (ProviderSuspended, 409, "provider_suspended"),
    (ProviderLocked, 409, "provider_locked"),
    (PlayerBlocked, 409, "player_blocked"),
    (Reused, 422, "idempotency_key_reused"),
    (InProgress, 409, "idempotency_key_in_progress"),
    (SandboxFull, 409, "sandbox_full"),
    (ReferenceConflict, 409, "reference_conflict"),
    (InsufficientFunds, 409, "insufficient_funds"),
    (QueueUnavailable, 503, "unavailable"),
    (CashError, 503, "unavailable"),
    (LedgerUnavailable, 503, "unavailable"),
    (NotMigrated, 503, "unavailable"),
    (NotAllowed, 503, "unavailable"),
)
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """A request that is refused. `more` are further members of the document."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        if status == HTTPStatus.SERVICE_UNAVAILABLE or code == "idempotency_key_in_progress":
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
        self.document: dict[str, object] = {
            "type": f"urn:betcore:problem:{code}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "code": code,
            **more,
        }


def too_many(wait_seconds: float, detail: str) -> Problem:
    """The answer to whoever asks too often."""
    return Problem(429, "too_many_requests", detail, {"Retry-After": str(int(wait_seconds) + 1)})


async def render_problem(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """The response to a `Problem`."""
    if not isinstance(error, Problem):
        raise error
    body = json.dumps(error.document, ensure_ascii=False).encode(errors="replace")
    return Response(body, error.status, error.headers, MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """How an error of ours or of Starlette is answered. Others are raised again.

    What is no fault of the caller is answered with 503.
    """
    if isinstance(error, Problem):
        return error
    for kind, status, code in _ANSWERS:
        if isinstance(error, kind):
            return Problem(status, code, str(error))
    if not isinstance(error, HTTPException):
        raise error
    code = _CODES.get(error.status_code, "refused")
    detail = "There is nothing at this path." if error.status_code == 404 else error.detail
    return Problem(error.status_code, code, f"{detail.rstrip('.')}.", error.headers)


async def render_error(request: Request, error: Exception) -> Response:
    """The response to an error of ours, or to what Starlette refuses, such as an unknown path."""
    return await render_problem(request, problem_of(error))


#: The answer to a fault of ours. The log has its traceback.
FAULT = Problem(500, "fault", "The portal has a fault; its log has the details.")


async def render_unexpected(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """The response to a fault of ours."""
    return await render_problem(request, FAULT)


#: For Starlette, the same in every room.
HANDLERS = {
    Problem: render_problem,
    BetcoreError: render_error,
    HTTPException: render_error,
    Exception: render_unexpected,
}
