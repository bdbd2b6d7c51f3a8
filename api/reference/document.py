"""Describes the wallet's API by OpenAPI 3.1: every call, header, number rule, code and reason."""

import json
from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from api.reference import schemas
from api.reference.calls import CALLS, SESSION, Example, Fields, WalletCall
from api.wallet.answers import error_body
from api.wallet.errors import (
    CAUSES,
    NAMES,
    OVERLOADED,
    ApiError,
    above_rate,
    failed,
    invalid,
    no_such_path,
    sent_again,
    too_large,
    try_later,
    unauthorized,
    unknown_outcome,
)
from models.codes import Code
from models.exact_json import exact_json
from models.money import JsonNumber
from models.reason import RECORDED
from server.http_head import Refused
from server.http_reader import FIELDS_MAX, HEAD_BYTES_MAX, RequestReader
from settings import Settings

_JSON: Final = "application/json"
NONCE: Final = "5a0679b6e5fa48f6892c777b0fa92392"
#: The name of the example that shows the usual request.
USUAL: Final = "done"

_SIGNING = """\
Every request has four headers. `X-Sign` is the HMAC-SHA256 of a message, in lower-case hex.

* The key is your secret, character by character: do not base64-decode it.
* The message has these parts, joined by `.`: the exact bytes of the body (left out when there is
  no body), `X-Counterparty-Id`, `X-Timestamp`, `X-Request-Id`.

Path and query are not signed. So say in the body what a bet is about: `sessionId`, `currency` and
`userId` are compared with the session.

With the invented key `example-secret-not-real==` and no body, the message
`933a215f-a9e6-4f88-9d91-52a87cd50499.1719766120806.5a0679b6e5fa48f6892c777b0fa92392` gives
`3ebc387518e8c39cd824caeb4414664659d7dacd4c63140b9452c6530bfbe456`."""

_GENERAL = """\
The wallet's API, as game providers call it. `docs/PROVIDERS.md` is the guide, and
`docs/PROTOCOL.md` is the contract.

## Signing
{signing}

## Numbers
An amount in a request is a decimal string or a JSON number, and is read exactly. An amount in an
answer is an exact JSON number without an exponent: read it as a decimal, never as a binary float.

## Deadlines
A request is answered within {answer:g} s of its arrival. Wait for 7 s before you give up.

## Codes
| `_responseCode` | `error` | the answer is final |
|---|---|---|
{codes}

## Reasons of code 3 and 5
| `reason` | code | message |
|---|---|---|
{reasons}
"""


def document(settings: Settings) -> dict[str, Any]:
    """The OpenAPI document. Its amounts are Decimal: write it with `exact_json`."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        method = "post" if call.command else "get"
        paths[call.path] = {method: _operation(call, settings)}
    parameters = {one["name"]: one for one in schemas.header_parameters()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "betcore wallet API",
            "version": "1",
            "description": _description(settings),
        },
        "servers": [{"url": "{wallet}", "variables": {"wallet": _SERVER}}],
        "security": [{"signature": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Sign",
                    "description": _SIGNING,
                }
            },
            "parameters": parameters,
            "schemas": schemas.schemas(),
        },
    }


_SERVER = {
    "default": "http://127.0.0.1:8000",
    "description": "The address that the operator gave you.",
}


def served(settings: Settings) -> bytes:
    """The document as it is served."""
    return exact_json(document(settings)).encode()


def _description(settings: Settings) -> str:
    final = {code: code not in (Code.UNKNOWN, Code.TRY_LATER) for code in Code}
    codes = [
        f"| {code.value} | {NAMES.get(code, '')} | {'yes' if final[code] else 'no'} |"
        for code in sorted(Code)
    ]
    reasons = [
        f"| `{reason}` | {5 if reason in RECORDED else 3} | {message} |"
        for reason, message in CAUSES.items()
    ]
    return _GENERAL.format(
        signing=_SIGNING,
        answer=settings.answer_within_seconds,
        codes="\n".join(codes),
        reasons="\n".join(reasons),
    )


def _operation(call: WalletCall, settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.summary,
        "description": call.text,
        "tags": ["bets" if call.command else "questions"],
        "parameters": _parameters(call),
        "responses": _responses(call, settings),
    }
    if call.command:
        examples = {
            name: {
                "summary": one.before or _worded(name),
                "value": _plain({**call.body, **one.change}),
            }
            for name, one in call.examples.items()
        }
        content = {"schema": schemas.body_of(call.command), "examples": examples}
        found["requestBody"] = {"required": True, "content": {_JSON: content}}
    return found


def _parameters(call: WalletCall) -> list[dict[str, Any]]:
    names = [one["name"] for one in schemas.header_parameters()]
    found: list[dict[str, Any]] = [{"$ref": f"#/components/parameters/{name}"} for name in names]
    if "{sessionId}" in call.path:
        found.append(
            {
                "name": "sessionId",
                "in": "path",
                "required": True,
                "description": "The session, percent-encoded.",
                "schema": {"type": "string", "minLength": 1},
                "example": SESSION,
            }
        )
    elif not call.command:
        found += [_with_examples(one, call) for one in schemas.query_parameters()]
    return found


def _with_examples(parameter: dict[str, Any], call: WalletCall) -> dict[str, Any]:
    name = parameter["name"]
    asked = {
        key: {"summary": one.before, "value": _plain(one.change)[name]}
        for key, one in call.examples.items()
        if name in one.change
    }
    return {**parameter, "examples": asked} if asked else parameter


def _responses(call: WalletCall, settings: Settings) -> dict[str, Any]:
    examples: dict[str, Example] = {**call.examples, **_of_all(call, settings)}
    found: dict[str, Any] = {}
    for name, one in examples.items():
        shown = {"summary": one.before or _worded(name), "value": _answer(one.answer)}
        content = _response(found, one, call)["content"][_JSON]
        content["examples"][name] = shown
    return dict(sorted(found.items()))


def _response(found: dict[str, Any], example: Example, call: WalletCall) -> dict[str, Any]:
    status = str(example.status)
    if status not in found:
        codes = _codes(call, example.status)
        schema = schemas.error_of(codes) if example.status >= 400 else _answer_schema(call)
        described = HTTPStatus(example.status).phrase
        made: dict[str, Any] = {
            "description": f"{described}: code {', '.join(map(str, codes))}.",
            "content": {_JSON: {"schema": schema, "examples": {}}},
        }
        if Code.TRY_LATER in codes:
            number = {"type": "string", "pattern": "^[0-9]+$", "description": "Seconds."}
            made["headers"] = {"Retry-After": {"required": True, "schema": number}}
        found[status] = made
    response: dict[str, Any] = found[status]
    return response


def _codes(call: WalletCall, status: int) -> list[int]:
    """The codes that a call may give with a status."""
    ofs: dict[int, set[Code]] = {
        200: {Code.DONE},
        401: {Code.UNAUTHORIZED},
        402: {Code.INVALID} | call.codes,
        409: {Code.UNKNOWN},
        429: {Code.TRY_LATER},
        500: {Code.UNKNOWN},
        503: {Code.TRY_LATER},
        504: {Code.UNKNOWN},
    }
    return sorted(int(code) for code in ofs.get(status, {Code.INVALID}))


def _of_all(call: WalletCall, settings: Settings) -> dict[str, Example]:
    """The answers that every call may get, whatever it asks."""
    found = _of_http() | {
        "unauthorized": Example("The signature is wrong.", unauthorized()),
        "sent_again": Example("The very same request was received before.", sent_again()),
        "too_large": Example("The body is too long.", too_large(settings.body_bytes_max)),
        "above_rate": Example("The provider is above its limit.", above_rate()),
        "overloaded": Example("More requests come than can be answered.", try_later(OVERLOADED)),
        "failed": Example("Something failed here.", failed()),
    }
    if call.command:
        found["unknown_outcome"] = Example("No worker replied in time.", unknown_outcome())
    return found


def _of_http() -> dict[str, Example]:
    """What is answered to what is no request of a call, for each call the same."""
    line, host = b"GET /v1/bets HTTP/1.1\r\n", b"Host: wallet.example.com\r\n"
    return {
        "not_http": Example("The request has no Host field.", _refused(line + b"\r\n")),
        "path_unknown": Example(
            "The path ends in a slash. An encoded slash separates nothing.", no_such_path()
        ),
        "path_too_long": Example(
            "Path and query are too long.", _refused(line.replace(b"bets", b"b" * HEAD_BYTES_MAX))
        ),
        "too_many_fields": Example(
            "There are too many header fields.", _refused(line + host + b"a: b\r\n" * FIELDS_MAX)
        ),
    }


def _refused(sent: bytes) -> ApiError:
    """What the server says to these bytes."""
    reader = RequestReader()
    reader.feed(sent)
    try:
        reader.head()
    except Refused as refused:
        return invalid(refused.message, refused.status)
    raise AssertionError(f"{sent[:80]!r} is a request")


def _answer_schema(call: WalletCall) -> schemas.Schema:
    if call.command:
        return schemas.done_of(call.command)
    if call.name == "balance":
        currency = {"type": "string", "pattern": "^[A-Z0-9]+$"}
        return schemas.answer_of({"currency": currency, "balance": schemas.reference("Balance")})
    items = {"type": "array", "items": schemas.reference("Bet")}
    page = schemas.answer_of({"items": items, "next": {"type": ["string", "null"]}})
    one = {"allOf": [schemas.reference("Bet"), schemas.answer_of({})]}
    return {"oneOf": [one, page]}


def _answer(answer: Fields | ApiError) -> Any:
    if isinstance(answer, ApiError):
        # Of a request whose first line is too long, no header is read.
        is_read = answer.status != HTTPStatus.REQUEST_URI_TOO_LONG
        said = error_body(answer, [(b"x-request-id", NONCE.encode())] if is_read else [])
        return json.loads(said, parse_float=Decimal)
    return {**answer, "_responseCode": Code.DONE}


def _plain(fields: Mapping[str, object]) -> dict[str, object]:
    """Fields as `exact_json` takes them."""
    return {
        name: Decimal(value) if isinstance(value, JsonNumber) else value
        for name, value in fields.items()
    }


def _worded(name: str) -> str:
    return name.replace("_", " ").capitalize()
