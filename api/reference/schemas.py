"""JSON Schemas of the wallet's requests and answers, from the rules of the code itself."""

from typing import Any

from api.wallet.bet_query import LIMIT, LIMIT_MAX
from api.wallet.calls import HEADER_FORMS
from api.wallet.errors import NAMES
from models.codes import Code
from models.commands import CONTROLS, ROW_ID_MAX, TEXT_MAX, BetCommand
from models.ledger.state import BetState
from models.money import AMOUNT_LIMIT, AMOUNT_TEXT, DECIMALS_MAX
from models.reason import RECORDED, Reason

Schema = dict[str, Any]

#: Possessive quantifiers are ours, to be quick. ECMA's expressions, as in JSON Schema, lack them.
_DECIMAL = f"^(?:{AMOUNT_TEXT.pattern.replace('++', '+').replace('*+', '*')})$"
_TEXT: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": TEXT_MAX,
    "pattern": f"^[^{CONTROLS}]*$",
}
_NUMBER: Schema = {"type": "number", "minimum": 0, "exclusiveMaximum": int(AMOUNT_LIMIT)}
_EXACT = "An exact JSON number: read it as a decimal, never as a binary float."
_TRANSACTION = "The id of a transfer, as text."

_HEADERS = {
    "X-Counterparty-Id": "Your id, as the operator gave it to you.",
    "X-Timestamp": "Unix time in milliseconds, at most 30 s away from ours.",
    "X-Request-Id": "The nonce: 32 hexadecimal digits without dashes, new for every request.",
    "X-Sign": "The signature: HMAC-SHA256 in lower-case hex.",
}


def schemas() -> dict[str, Schema]:
    """Those that several calls share, by name."""
    return {
        "Id": {
            "description": f"Text of 1 to {TEXT_MAX} code points without control characters and"
            " lone surrogates. An integer without point and exponent is taken as its text.",
            "anyOf": [_TEXT, {"type": "integer"}],
        },
        "Amount": {
            "description": "A decimal string or a JSON number, read exactly: zero or more, below"
            " 10^15. It has no more decimals than the currency; trailing zeros do not count. The"
            " exponent of a string is within ±30. `-0` is refused.",
            "anyOf": [{"type": "string", "pattern": _DECIMAL}, _NUMBER],
        },
        "Odd": {
            "description": f"The form of an amount, with at most {DECIMALS_MAX} decimals.",
            "anyOf": [{"type": "string", "pattern": _DECIMAL}, _NUMBER, {"type": "null"}],
        },
        "Balance": {"type": "number", "minimum": 0, "description": _EXACT},
        "TransactionId": {"type": "string", "pattern": "^[0-9]+$", "description": _TRANSACTION},
        "Error": _error(),
        "Bet": _bet(),
    }


def reference(name: str) -> Schema:
    """A reference to one of `schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def header_parameters() -> list[Schema]:
    """The four headers of every call."""
    forms = {name.decode(): form.pattern.decode() for name, form in HEADER_FORMS.items()}
    return [
        {
            "name": name,
            "in": "header",
            "required": True,
            "description": text,
            "schema": {"type": "string", "pattern": f"^{forms[name.lower()]}$"},
        }
        for name, text in _HEADERS.items()
    ]


def query_parameters() -> list[Schema]:
    """What `GET /v1/bets` may ask."""
    limit = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT}
    transfer = {"type": "integer", "minimum": 1, "maximum": ROW_ID_MAX}
    described = {
        "betId": ("The bet with this id.", _TEXT),
        "transactionId": ("The bet that has this transaction.", transfer),
        "gameRoundId": ("The bets that are recorded in this round, of all players.", _TEXT),
        "limit": ("With `gameRoundId`: how many bets a page has.", limit),
        "cursor": ("With `gameRoundId`: the `next` of the page before.", {"type": "string"}),
    }
    return [
        {"name": name, "in": "query", "description": text, "schema": schema}
        for name, (text, schema) in described.items()
    ]


def body_of(command: type[BetCommand]) -> Schema:
    """The body of a bet's call. Unknown fields are ignored."""
    id_, amount = reference("Id"), reference("Amount")
    optional_id = {"anyOf": [id_, {"type": "null"}]}
    fields: Schema = {"betId": id_, "gameRoundId": optional_id}
    if command.has_stake:
        fields["betAmount"] = amount
    if command.has_win:
        fields["winAmount"] = amount
    required = [name for name in fields if name != "gameRoundId"]
    if command.has_win:
        fields["winOdd"] = reference("Odd")
        fields["roundFinished"] = {
            "type": ["boolean", "null"],
            "description": "True: the player's other open bets of this round are settled with 0.",
        }
    claims = {
        "gameId": {**optional_id, "description": "If the session was opened for a game: that one."},
        "sessionId": {**id_, "description": "A claim: the session in the path."},
        "currency": {"type": ["string", "null"], "description": "A claim: the session's currency."},
        "userId": {**optional_id, "description": "A claim: the session's player."},
    }
    return {"type": "object", "required": required, "properties": {**fields, **claims}}


def answer_of(fields: dict[str, Schema]) -> Schema:
    """An answer with code 1 and these fields."""
    named = {**fields, "_responseCode": {"const": Code.DONE}}
    return {"type": "object", "required": list(named), "properties": named}


def done_of(command: type[BetCommand]) -> Schema:
    """The answer of a bet's call with code 1."""
    ids = {name: reference("TransactionId") for name in command.answers}
    return answer_of({**ids, "balance": reference("Balance")})


def error_of(codes: list[int]) -> Schema:
    """An error that has one of these codes."""
    names = [NAMES[Code(code)] for code in codes]
    named = {"_responseCode": {"enum": codes}, "error": {"enum": names}}
    return {"allOf": [reference("Error"), {"properties": named}]}


def _error() -> Schema:
    fields: Schema = {
        "_responseCode": {"enum": sorted(NAMES)},
        "error": {"enum": list(NAMES.values())},
        "message": {"type": "string", "description": "One sentence for people."},
        "requestId": {"type": "string", "description": "The nonce, if it was well-formed."},
        "balance": {**reference("Balance"), "description": "Wherever the player is known."},
        "reason": {"enum": list(Reason), "description": "The cause, with code 3 and 5."},
        "explain": {
            "type": "object",
            "description": "Only in a sandbox, with code 8: what is wrong.",
        },
    }
    required = ["_responseCode", "error", "message"]
    return {"type": "object", "required": required, "properties": fields}


def _bet() -> Schema:
    amount = {"type": ["number", "null"], "description": _EXACT}
    transaction = {"type": ["string", "null"], "description": _TRANSACTION}
    text = {"type": ["string", "null"]}
    time = {"type": ["string", "null"], "format": "date-time"}
    fields: Schema = {
        "betId": text,
        "state": {"enum": [*BetState, "in_flight", "unknown"]},
        **dict.fromkeys(("betAmount", "winAmount"), amount),
        "currency": text,
        **dict.fromkeys(
            ("betTransactionId", "winTransactionId", "refundTransactionId"), transaction
        ),
        "refusedWith": {"enum": [Code.INSUFFICIENT_FUNDS, Code.NOT_ALLOWED, None]},
        "reason": {"enum": [*RECORDED, None]},
        **dict.fromkeys(("createdAt", "updatedAt"), time),
        **dict.fromkeys(("gameRoundId", "gameId"), text),
    }
    return {"type": "object", "required": list(fields), "properties": fields}
