"""Every refusal of a request: its `_responseCode`, HTTP status, and a sentence that helps.

Source: PROTOCOL.md, "`_responseCode` and HTTP status".
"""

from decimal import Decimal
from typing import Final

from models.codes import Code
from models.money import plain
from models.reason import Reason

#: `error` of each code.
NAMES: Final = {
    Code.UNKNOWN: "unknown_outcome",
    Code.INVALID: "invalid_request",
    Code.SESSION_CLOSED: "session_closed",
    Code.INSUFFICIENT_FUNDS: "insufficient_funds",
    Code.NOT_ALLOWED: "not_allowed",
    Code.BET_NOT_FOUND: "bet_not_found",
    Code.BET_CONFLICT: "bet_conflict",
    Code.UNAUTHORIZED: "unauthorized",
    Code.TRY_LATER: "try_later",
}

#: The message per code with which the ledger refuses. The HTTP status is always 402.
REFUSALS: Final = {
    Code.SESSION_CLOSED: "The session is unknown, closed or expired, so it takes no new bet.",
    Code.INSUFFICIENT_FUNDS: "The balance does not cover the stake.",
    Code.NOT_ALLOWED: (
        "A stake or win is outside its limits, or the player or provider may not bet now."
    ),
    Code.BET_NOT_FOUND: "This bet was never accepted.",
    Code.BET_CONFLICT: "This betId already stands for something else, or its round is finished.",
}

#: The message per reason of code 3 or 5. It replaces that of `REFUSALS` if the reason is known.
CAUSES: Final[dict[Reason | None, str]] = {
    Reason.SESSION_UNKNOWN: "There is no such session, so it takes no bet.",
    Reason.SESSION_CLOSED: "The session was closed, so it takes no new bet.",
    Reason.SESSION_EXPIRED: "The session has expired, so it takes no new bet.",
    Reason.PLAYER_BLOCKED: "The player is blocked, and may not bet.",
    Reason.PROVIDER_SUSPENDED: "The provider is suspended, so its games take no bets.",
    Reason.BELOW_LIMIT: "The stake is below the minimum of the session.",
    Reason.ABOVE_LIMIT: "The stake is above the maximum of the session.",
    Reason.WIN_ABOVE_LIMIT: "The win is above the largest that a bet of the provider may win.",
    Reason.WIN_ABOVE_DAILY_LIMIT: (
        "With this win, the provider's wins of the day would be above their limit."
    ),
}

#: Causes of some refusals, for the log. Metrics are counted by them.
UNSIGNED: Final = "the signature is not good"
REUSED: Final = "the X-Request-Id was used before, with another signature"
REPLAYED: Final = "This very request was received before: repeat it with a new X-Request-Id."

#: The message for a request that would wait too long.
OVERLOADED: Final = "More bets wait than can be worked on in time."


class ApiError(Exception):
    """A request that is not answered with code 1."""

    def __init__(
        self,
        status: int,
        code: Code,
        message: str,
        *,
        balance: Decimal | None = None,
        reason: Reason | None = None,
        why: tuple[object, ...] = (),
    ) -> None:
        """`balance` is the player's, where the player is known.

        `reason` is the cause of a 3 or 5. `why` goes only to the log: the cause, then optionally a
        detail as a %-format and its values.
        """
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.balance = balance
        self.reason = reason
        self.why = why


def invalid(message: str, status: int = 402) -> ApiError:
    """The body or path cannot be read as this call."""
    return ApiError(status, Code.INVALID, message)


def no_such_path() -> ApiError:
    """There is nothing at this path."""
    return invalid("Not Found.", 404)


def too_large(bytes_max: int) -> ApiError:
    """The body is longer than it may be."""
    return invalid(f"The body is longer than {bytes_max} bytes.", 413)


def refused(
    code: Code,
    balance: Decimal | None = None,
    reason: Reason | None = None,
    win: Decimal | None = None,
) -> ApiError:
    """The ledger said no, or would; `reason` is a `Reason`, where the code has one.

    The log names the `win`, where that was above a limit.
    """
    message = CAUSES.get(reason) or REFUSALS[code]
    why: tuple[object, ...] = ()
    if win is not None and reason in (Reason.WIN_ABOVE_LIMIT, Reason.WIN_ABOVE_DAILY_LIMIT):
        why = (reason, "winAmount=%s", plain(win))
    return ApiError(402, code, message, balance=balance, reason=reason, why=why)


def unauthorized(*why: object) -> ApiError:
    """Authentication failed: always this one answer, whatever the reason.

    `why` is for the log: see ApiError.
    """
    return ApiError(401, Code.UNAUTHORIZED, "The request could not be authenticated.", why=why)


def try_later(message: str) -> ApiError:
    """This request was certainly not admitted."""
    return ApiError(503, Code.TRY_LATER, message)


def above_rate() -> ApiError:
    """The provider is above its requests per second. This request was certainly not admitted."""
    return ApiError(429, Code.TRY_LATER, "The provider sends more requests per second than it may.")


def unknown_outcome() -> ApiError:
    """It may be applied, or not."""
    return ApiError(
        504,
        Code.UNKNOWN,
        "The outcome is not known yet: repeat with the same betId, ask, or refund.",
    )


def failed() -> ApiError:
    """An error of ours that nobody expected. It may be applied, or not."""
    return ApiError(500, Code.UNKNOWN, "Something failed here: repeat with the same betId, or ask.")


def sent_again() -> ApiError:
    """A request with the same nonce and signature was received before."""
    return ApiError(409, Code.UNKNOWN, REPLAYED)
