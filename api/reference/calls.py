"""The calls of the wallet and an example of each answer, as the reference shows them.

Names, codes and sentences are those of the gateway's own code. A test sends every example to a
gateway and compares the answers (tests/service/portal/test_reference.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from api.wallet.app import BETS
from api.wallet.errors import ApiError, invalid, refused
from models.codes import Code
from models.commands import BetCommand, Place
from models.errors import InvalidRequest
from models.money import JsonNumber
from models.reason import Reason

Fields = Mapping[str, object]

#: The player has this much before each example begins.
OPENING: Final = Decimal(1000)
STAKE, WIN = Decimal("10.5"), Decimal("55.25")
SESSION: Final = "b7f6d1a0-2b54-4c27-9d0e-5d6e2f2f1c11"
ROUND: Final = "c5dfa465-93fc-4e8e-a643-954747f74ca1"
BET: Final = "4178696881"
#: What the body of a bet's call usually has. Each call takes the fields that it knows.
_BODY: Final = {
    "betId": BET,
    "gameRoundId": ROUND,
    "betAmount": str(STAKE),
    "winAmount": str(WIN),
}
_IDS: Final = {
    "betTransactionId": "1000001",
    "winTransactionId": "1000002",
    "refundTransactionId": "1000003",
}
_PLACE: Final = Place(1, SESSION, 1, 2, "EUR", "ann-7")


@dataclass(frozen=True)
class Example:
    """An answer, what happened before, and how the request differs from the usual one.

    `change` is of the body, or of the query if the call has no body.
    """

    before: str
    answer: Fields | ApiError
    change: Fields = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.answer.status if isinstance(self.answer, ApiError) else 200


@dataclass(frozen=True)
class WalletCall:
    """A call of the wallet. `command` is None for a question. `examples` are by stable names."""

    name: str
    path: str
    summary: str
    text: str
    examples: Mapping[str, Example]
    command: type[BetCommand] | None = None

    @property
    def body(self) -> dict[str, object]:
        """The usual body."""
        return _body(self.command) if self.command else {}

    @property
    def codes(self) -> set[Code]:
        """The codes of the ledger that the examples show."""
        answers = [one.answer for one in self.examples.values()]
        return {answer.code for answer in answers if isinstance(answer, ApiError)}


def _body(command: type[BetCommand]) -> dict[str, object]:
    left_out = {"betAmount"} if not command.has_stake else set()
    left_out |= {"winAmount"} if not command.has_win else set()
    return {name: value for name, value in _BODY.items() if name not in left_out}


def _done(command: type[BetCommand], balance: Decimal) -> Fields:
    return {**{name: _IDS[name] for name in command.answers}, "balance": balance}


def _unreadable(command: type[BetCommand], change: Fields) -> ApiError:
    """What the code says to this body. A number is given as its characters."""
    try:
        command.read({**_body(command), **change}, _PLACE)
    except InvalidRequest as error:
        return invalid(str(error))
    raise AssertionError(f"{change} can be read")


def _reason(before: str, reason: Reason, balance: Decimal, **change: object) -> Example:
    return Example(before, refused(Code.NOT_ALLOWED, balance, reason), change)


def _ended(reason: Reason, before: str) -> Example:
    known = reason != Reason.SESSION_UNKNOWN
    return Example(before, refused(Code.SESSION_CLOSED, OPENING if known else None, reason))


_STRANGE = _ended(Reason.SESSION_UNKNOWN, "There is no such session of this provider.")


def _of_every(command: type[BetCommand], before: str, balance: Decimal) -> dict[str, Example]:
    done = _done(command, balance)
    claim: Fields = {"currency": "USD"}
    missing: Fields = {"betId": None}
    return {
        "done": Example(before, done),
        "repeat": Example("The same call was answered with code 1 before.", done),
        "field_unreadable": Example("", _unreadable(command, missing), missing),
        "claim_wrong": Example("", _unreadable(command, claim), claim),
        "session_unknown": _STRANGE,
    }


def _of_stakes(command: type[BetCommand]) -> dict[str, Example]:
    form: Fields = {"betAmount": "10,5"}
    decimals: Fields = {"betAmount": JsonNumber("10.505")}
    conflict = refused(Code.BET_CONFLICT, OPENING - STAKE + (WIN if command.has_win else 0))
    round_over = refused(Code.BET_CONFLICT, OPENING)
    return {
        "amount_unreadable": Example("", _unreadable(command, form), form),
        "too_many_decimals": Example("", _unreadable(command, decimals), decimals),
        "session_closed": _ended(Reason.SESSION_CLOSED, "The session was closed."),
        "session_expired": _ended(Reason.SESSION_EXPIRED, "The session's time is over."),
        "insufficient_funds": Example(
            "", refused(Code.INSUFFICIENT_FUNDS, OPENING), {"betAmount": "1000.01"}
        ),
        "player_blocked": _reason("The player is blocked.", Reason.PLAYER_BLOCKED, OPENING),
        "provider_suspended": _reason(
            "The provider is suspended.", Reason.PROVIDER_SUSPENDED, OPENING
        ),
        "below_limit": _reason(
            "The session's minimum is 1.", Reason.BELOW_LIMIT, OPENING, betAmount="0.5"
        ),
        "above_limit": _reason(
            "The session's maximum is 500.", Reason.ABOVE_LIMIT, OPENING, betAmount="600"
        ),
        "bet_conflict": Example(
            "The same betId was taken with the usual stake.", conflict, {"betAmount": "11"}
        ),
        "round_finished": Example("The round is finished for this player.", round_over),
    }


def _of_wins(command: type[BetCommand]) -> dict[str, Example]:
    balance = OPENING if command.has_stake else OPENING - STAKE
    bet = "" if command.has_stake else "The bet is open. "
    limits = {
        Reason.WIN_ABOVE_LIMIT: "One bet of the provider may win at most 50 EUR.",
        Reason.WIN_ABOVE_DAILY_LIMIT: "The provider may win at most 50 EUR a day.",
    }
    return {str(why): _reason(bet + said, why, balance) for why, said in limits.items()}


_PAY_IN, _PAY_OUT, _PAY_IN_OUT, _REFUND = BETS.values()
_ALREADY = "A pay-in of the usual stake was answered with code 1."
_FINISHES: Fields = {"roundFinished": True}
_BET_EXAMPLES: dict[str, dict[str, Example]] = {
    "pay-in": _of_every(_PAY_IN, "", OPENING - STAKE) | _of_stakes(_PAY_IN),
    "pay-out": _of_every(_PAY_OUT, _ALREADY, OPENING - STAKE + WIN)
    | {
        "finishes_round": Example(_ALREADY, _done(_PAY_OUT, OPENING - STAKE + WIN), _FINISHES),
        "bet_not_found": Example(
            "No pay-in with this betId was accepted.", refused(Code.BET_NOT_FOUND, OPENING)
        ),
        "bet_conflict": Example(
            "The bet was paid with the usual win.",
            refused(Code.BET_CONFLICT, OPENING - STAKE + WIN),
            {"winAmount": "56"},
        ),
    }
    | _of_wins(_PAY_OUT),
    "pay-in-out": _of_every(_PAY_IN_OUT, "", OPENING - STAKE + WIN)
    | _of_stakes(_PAY_IN_OUT)
    | _of_wins(_PAY_IN_OUT),
    "refund": _of_every(_REFUND, _ALREADY, OPENING)
    | {
        "tombstone": Example("No pay-in with this betId has come yet.", _done(_REFUND, OPENING)),
        "bet_conflict": Example(
            "The bet was won, and the player has since staked the whole balance.",
            refused(Code.BET_CONFLICT, Decimal(0)),
        ),
    },
}
_OF_REFUND = (
    "Gives back what the bet took, and takes back what it paid. A refund of an unknown bet closes"
    " its `betId`: the bet can never be taken afterwards."
)
_BET_TEXTS = {
    "pay-in": ("Take a stake", "Takes `betAmount`. The outcome of the bet comes later."),
    "pay-out": ("Pay a win", "Pays `winAmount` of an open bet. 0 means that the bet is lost."),
    "pay-in-out": (
        "Take a stake and pay its win",
        "Both or neither. The balance must cover the stake before the win is added.",
    ),
    "refund": ("Undo a bet", _OF_REFUND),
}


def _bet(state: str, **known: object) -> Fields:
    """The fields of the answer about a bet."""
    nothing = dict.fromkeys(
        (
            *("betAmount", "winAmount", "currency", *_IDS, "refusedWith", "reason"),
            *("createdAt", "updatedAt", "gameRoundId", "gameId"),
        )
    )
    return {"betId": BET, "state": state, **nothing, **known}


def _recorded(state: str, **known: object) -> Fields:
    """The same of a bet that is recorded with the usual stake."""
    at = "2026-01-31T12:00:00.123456Z"
    always = {"betAmount": STAKE, "currency": "EUR", "createdAt": at, "updatedAt": at}
    return _bet(state, **always, gameRoundId=ROUND, **known)


_TAKEN = {"betTransactionId": _IDS["betTransactionId"]}
_PAID = {"winAmount": WIN, "winTransactionId": _IDS["winTransactionId"], **_TAKEN}
_BY_ID: Fields = {"betId": BET}
_BLOCKED = {"refusedWith": Code.NOT_ALLOWED, "reason": Reason.PLAYER_BLOCKED}
_QUESTIONS = {
    "open": Example(_ALREADY, _recorded("open", **_TAKEN), _BY_ID),
    "settled": Example("The bet was taken and paid.", _recorded("settled", **_PAID), _BY_ID),
    "rejected": Example(
        "A pay-in was refused, because the player is blocked.",
        _recorded("rejected", **_BLOCKED),
        _BY_ID,
    ),
    "unknown": Example("Nothing with this betId has come.", _bet("unknown"), _BY_ID),
    "by_transaction": Example(
        _ALREADY, _recorded("open", **_TAKEN), {"transactionId": _IDS["betTransactionId"]}
    ),
    "by_round": Example(
        "The round has one bet, which was taken.",
        {"items": [_recorded("open", **_TAKEN)], "next": None},
        {"gameRoundId": ROUND},
    ),
    "query_unreadable": Example(
        "", invalid("The query must have one of betId, transactionId and gameRoundId.")
    ),
}

CALLS: Final = (
    WalletCall(
        "balance",
        "/v1/sessions/{sessionId}/balance",
        "Ask for the balance",
        "Works after the session ended too.",
        {
            "done": Example("", {"currency": "EUR", "balance": OPENING}),
            "session_unknown": _STRANGE,
        },
    ),
    *[
        WalletCall(
            name,
            f"/v1/sessions/{{sessionId}}/bets/{name}",
            *_BET_TEXTS[name],
            _BET_EXAMPLES[name],
            command,
        )
        for name, command in BETS.items()
    ],
    WalletCall(
        "bets",
        "/v1/bets",
        "Ask for the state of a bet, or for the bets of a round",
        "Resolves an unknown outcome. A query has exactly one of `betId`, `transactionId` and"
        " `gameRoundId`. `in_flight` means that a request about the bet may still be applied: ask"
        " again. `unknown` promises nothing: only a refund closes a `betId`.",
        _QUESTIONS,
    ),
)
