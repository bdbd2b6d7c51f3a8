"""The wallet's answers as frozen values, with exact amounts."""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

from betcore_kit.exact import read_json


class Code(IntEnum):
    """`_responseCode`: what the wallet says. 1 to 8 are final."""

    UNKNOWN = 0
    DONE = 1
    INVALID = 2
    SESSION_CLOSED = 3
    INSUFFICIENT_FUNDS = 4
    NOT_ALLOWED = 5
    BET_NOT_FOUND = 6
    BET_CONFLICT = 7
    UNAUTHORIZED = 8
    TRY_LATER = 99


FINAL = frozenset(range(1, 9))
#: The wallet says these about a request, before it looks the bet up.
ABOUT_THE_REQUEST = frozenset({Code.INVALID, Code.UNAUTHORIZED})


class Outcome(StrEnum):
    """What has become of a call, after all repeats, questions and the refund."""

    DONE = "done"  # applied, now or by an earlier request
    REFUSED = "refused"  # certainly not applied; `code` says why
    CANCELLED = "cancelled"  # a doubt was ended by a refund: the bet does not count
    NOT_ADMITTED = "not_admitted"  # every try was refused for load: certainly not applied
    UNKNOWN = "unknown"  # the schedule is over and the doubt is not: send the same call again later


@dataclass(frozen=True)
class BetAnswer:
    """What has become of a call about a bet.

    `balance` is None where the wallet did not say it: after a question, or with code 8.
    """

    outcome: Outcome
    code: Code
    balance: Decimal | None = None
    bet_transaction_id: str | None = None
    win_transaction_id: str | None = None
    refund_transaction_id: str | None = None
    reason: str | None = None
    message: str | None = None
    request_id: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the call was applied."""
        return self.outcome is Outcome.DONE


@dataclass(frozen=True)
class BalanceAnswer:
    """The answer to a question for a balance. Both are None if the question was refused."""

    code: Code
    balance: Decimal | None = None
    currency: str | None = None
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class BetState:
    """The state of a bet, as `GET /v1/bets` tells it. Fields that do not apply are None.

    `code` is `UNKNOWN` if no answer came; `state` is None unless `code` is `DONE`.
    """

    code: Code
    bet_id: str | None = None
    state: str | None = None
    bet_amount: Decimal | None = None
    win_amount: Decimal | None = None
    currency: str | None = None
    bet_transaction_id: str | None = None
    win_transaction_id: str | None = None
    refund_transaction_id: str | None = None
    refused_with: int | None = None
    reason: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    game_round_id: str | None = None
    game_id: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class RoundBets:
    """The bets of a round. They are all there if `code` is `DONE`, and may be too few otherwise."""

    code: Code
    bets: tuple[BetState, ...] = ()


def read_fields(body: bytes) -> dict[str, Any] | None:
    """Return the fields of an answer of the wallet, or None if it is none: no JSON, or no code."""
    try:
        fields = read_json(body)
    except ValueError:
        return None
    code = fields.get("_responseCode") if isinstance(fields, dict) else None
    return fields if isinstance(code, Decimal) and code == code.to_integral_value() else None


def code_of(fields: dict[str, Any] | None) -> Code:
    """Return the code of an answer. One that is unknown to us says neither yes nor no."""
    try:
        return Code(int(fields["_responseCode"])) if fields else Code.UNKNOWN
    except ValueError:
        return Code.UNKNOWN


def bet_answer(fields: dict[str, Any] | None, outcome: Outcome | None = None) -> BetAnswer:
    """Return the answer to a call about a bet; the outcome follows from the code."""
    given, code = fields or {}, code_of(fields)
    if outcome is None:
        outcome = Outcome.REFUSED if code in FINAL else Outcome.UNKNOWN
        outcome = Outcome.DONE if code is Code.DONE else outcome
    return BetAnswer(
        outcome,
        code,
        balance=given.get("balance"),
        bet_transaction_id=given.get("betTransactionId"),
        win_transaction_id=given.get("winTransactionId"),
        refund_transaction_id=given.get("refundTransactionId"),
        reason=given.get("reason"),
        message=given.get("message"),
        request_id=given.get("requestId"),
    )


def balance_answer(fields: dict[str, Any] | None) -> BalanceAnswer:
    """Return the answer to a question for a balance."""
    given = fields or {}
    names = ("balance", "currency", "reason", "message")
    return BalanceAnswer(code_of(fields), *(given.get(name) for name in names))


def bet_state(fields: dict[str, Any] | None, code: Code | None = None) -> BetState:
    """Return the state of a bet. `code` is that of the page, for a bet of a page."""
    given = fields or {}
    names = (
        *("betId", "state", "betAmount", "winAmount", "currency", "betTransactionId"),
        *("winTransactionId", "refundTransactionId", "refusedWith", "reason"),
        *("createdAt", "updatedAt", "gameRoundId", "gameId", "message"),
    )
    values = {name: given.get(name) for name in names}
    refused_with: Any = values["refusedWith"]
    is_code = isinstance(refused_with, Decimal) and refused_with in FINAL
    values["refusedWith"] = int(refused_with) if is_code else None
    return BetState(code_of(fields) if code is None else code, *values.values())
