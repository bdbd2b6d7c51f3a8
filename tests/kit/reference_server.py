"""The reference wallet over HTTP: authentication, bodies, answers, and the sandbox's API."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import socket
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.kit.reference_sandbox import Sandbox
from tests.kit.reference_wallet import STATE_FIELDS, Provider, Refused, Session, Wallet

#: Every fault of HTTP, authentication and bodies, and what it does.
FAULTS = {
    "upper_case_accepted": "X-Sign may be in upper case",
    "no_nonce_check": "a nonce may be used again",
    "nonce_of_strangers": "a request with a bad signature uses up its nonce",
    "status_200": "every refusal is HTTP 200",
    "body_reserialised": "the body is serialised anew before its signature is verified",
    "decoded_secret_accepted": "the key may be the secret decoded from base64",
    "never_expires": "no timestamp is too old",
    "not_one_at_a_time": "bets of one account are applied at the same time",
    "rounded": "an amount with too many decimals is rounded",
    "html_404": "an unknown path is answered in HTML",
    "last_key_wins": "a key may be given twice",
    "claims_ignored": "a false sessionId is accepted",
    "query_unread": "the state of every bet is unknown",
    "page_overlaps": "a page of a round begins with the last bet of the one before",
}
_FINAL = "done invalid_request session_closed insufficient_funds not_allowed bet_not_found"
NAMES = ("unknown_outcome", *_FINAL.split(), "bet_conflict", "unauthorized")
_FORMS = {
    "x-counterparty-id": "[!-~]{1,64}",
    "x-timestamp": "[0-9]{1,16}",
    "x-request-id": "[0-9a-fA-F]{32}",
    "x-sign": "[0-9a-fA-F]{64}",
}
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?([eE]([+-]?[0-9]+))?")
_AMOUNTS = {
    "pay-in": ("betAmount",),
    "pay-out": ("winAmount",),
    "pay-in-out": ("betAmount", "winAmount"),
    "refund": (),
}
_DECIMALS = {"JPY": 0}
_PATH = re.compile(rb"/v1/sessions/([^/]+)/(balance|bets/(pay-in|pay-out|pay-in-out|refund))")
_QUESTIONS = ("betId", "gameRoundId", "transactionId")
_BODY_MAX = 16 * 1024


class Integer(Decimal):
    """A number of JSON without decimals and exponent."""


class Reference:
    """An ASGI app with one fault, or none."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.wallet = Wallet(fault)
        self.sandbox = Sandbox(self.wallet)
        self.nonces: dict[tuple[str, str], str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        if request.url.path.startswith("/sandbox/"):
            await self.sandbox.answer(request, body)(scope, receive, send)
            return
        try:
            status, fields = 200, await self._answer(request, body) | {"_responseCode": 1}
        except Refused as refused:
            status, fields = refused.status, _refusal(request, refused)
        if status == 404 and self.fault == "html_404":
            await PlainTextResponse("<h1>Not Found</h1>", 404)(scope, receive, send)
            return
        status = 200 if self.fault == "status_200" else status
        answer = Response(_exact(fields), status, media_type="application/json; charset=utf-8")
        await answer(scope, receive, send)

    async def _answer(self, request: Request, body: bytes) -> dict[str, Any]:
        raw_path = request.scope["raw_path"].partition(b"?")[0]
        found = _PATH.fullmatch(raw_path)
        if (found is None and raw_path != b"/v1/bets") or b"%2f" in raw_path.lower():
            raise Refused(2, status=404)
        is_bet = found is not None and found[3] is not None
        if request.method != ("POST" if is_bet else "GET"):
            raise Refused(2, status=405)
        if len(body) > _BODY_MAX:
            raise Refused(2, status=413)
        provider = self._authenticate(request, body)
        if found is None:
            return self._state(provider, request.scope["query_string"])
        session_id = unquote(found[1].decode())
        if not is_bet:
            account = self.wallet.session(provider, session_id).account
            return {"currency": account.currency, "balance": account.balance}
        kind = found[3].decode()
        fields = self._read(kind, body, session_id)
        session = self.wallet.session(provider, session_id)
        return await self._bet(kind, session, fields)

    async def _bet(self, kind: str, session: Session, fields: dict[str, Any]) -> dict[str, Any]:
        account = session.account
        _check_claims(session, fields)
        for name in _AMOUNTS[kind]:
            fields[name] = self._in_decimals(fields[name], account.currency)
        before = account.balance
        if self.fault == "not_one_at_a_time":
            await _others_go_ahead()
            account.balance = before
        try:
            ids = self.wallet.call(kind, session, fields)
        except Refused as refused:
            if not (refused.code == 4 and self.fault == "no_balance_in_4"):
                refused.balance = account.balance
            raise
        if self.fault == "float_balance":
            account.balance = Decimal(float(account.balance))
        return ids | {"balance": account.balance}

    def _authenticate(self, request: Request, body: bytes) -> Provider:
        values = [request.headers.getlist(name) for name in _FORMS]
        pairs = zip(values, _FORMS.values(), strict=True)
        if not all(len(found) == 1 and re.fullmatch(form, found[0]) for found, form in pairs):
            raise Refused(8, status=401)
        name, stamp, nonce, sign = (found[0] for found in values)
        age = time.time() * 1000 - int(stamp)
        if age < -30_000 or (age > 30_000 and self.fault != "never_expires"):
            raise Refused(8, status=401)
        provider, key = self.sandbox.providers.get(name), (name, nonce.lower())
        known = self.nonces.get(key)
        if self.fault == "nonce_of_strangers":
            self.nonces.setdefault(key, sign)
        if provider is None or not self._is_signed(provider, body, (name, stamp, nonce), sign):
            raise Refused(8, status=401)
        if known is not None and self.fault != "no_nonce_check":
            raise Refused(0, status=409) if known == sign else Refused(8, status=401)
        self.nonces[key] = sign
        return provider

    def _is_signed(
        self, provider: Provider, body: bytes, parts: tuple[str, ...], sign: str
    ) -> bool:
        if self.fault == "body_reserialised" and body:
            with suppress(ValueError):
                body = json.dumps(json.loads(body), separators=(",", ":")).encode()
        message = b".".join([body, *map(str.encode, parts)] if body else map(str.encode, parts))
        keys = [secret.encode() for secret in provider.secrets]
        if self.fault == "decoded_secret_accepted":
            keys += [base64.b64decode(f"{secret}===") for secret in provider.secrets]
        sign = sign.lower() if self.fault == "upper_case_accepted" else sign
        return any(sign == hmac.new(key, message, hashlib.sha256).hexdigest() for key in keys)

    def _read(self, kind: str, body: bytes, session_id: str) -> dict[str, Any]:
        try:
            fields = json.loads(
                body.decode(),
                parse_float=Decimal,
                parse_int=Integer,
                parse_constant=_refuse,
                object_pairs_hook=dict if self.fault == "last_key_wins" else _once,
            )
        except (ValueError, RecursionError):
            raise Refused(2) from None
        if not isinstance(fields, dict) or _levels(fields) > 16:
            raise Refused(2)
        fields["betId"] = _id(fields.get("betId"))
        for name in ("gameRoundId", "gameId", "userId"):
            if fields.get(name) is not None:
                fields[name] = _id(fields[name])
        claimed = fields.get("sessionId", session_id)
        if self.fault != "claims_ignored" and _id(claimed) != session_id:
            raise Refused(2)
        if "out" in kind and fields.get("roundFinished") not in (None, True, False):
            raise Refused(2)
        for name in _AMOUNTS[kind]:
            fields[name] = _amount(fields.get(name))
        odd = None if fields.get("winOdd") is None else _amount(fields["winOdd"])
        if odd is not None and _decimals(odd) > 18:
            raise Refused(2)
        return fields

    def _in_decimals(self, amount: Decimal, currency: str) -> Decimal:
        most = _DECIMALS.get(currency, 2)
        if self.fault == "rounded":
            return round(amount, most)
        if _decimals(amount) > most:
            raise Refused(2)
        return amount

    def _state(self, provider: Provider, query: bytes) -> dict[str, Any]:
        try:
            pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
            [(name, text)] = [pair for pair in pairs if pair[0] in _QUESTIONS]
        except ValueError:
            raise Refused(2) from None
        value = _id(text)
        if name == "gameRoundId":
            given = dict(pairs)
            return self._page(provider, value, given.get("limit"), given.get("cursor"))
        find = self.wallet.find if name == "betId" else self.wallet.of_transaction
        bet = find(provider, value)
        if bet is None or self.fault == "query_unread":
            bet_id = value if name == "betId" else None
            return dict.fromkeys(STATE_FIELDS) | {"betId": bet_id, "state": "unknown"}
        return self.wallet.state(bet)

    def _page(
        self, provider: Provider, round_id: str, limit: str | None, cursor: str | None
    ) -> dict[str, Any]:
        bets = self.wallet.of_round(provider, round_id)
        begin, most = int(cursor or 0), int(limit or 50)
        end = begin + most
        if self.fault == "page_overlaps":
            begin = max(0, begin - 1)
        items = [self.wallet.state(bet) for bet in bets[begin:end]]
        return {"items": items, "next": str(end) if end < len(bets) else None}


class JsonH11(H11Protocol):
    """Uvicorn's protocol, which answers what is no HTTP in JSON."""

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn."""
        body = _exact({"_responseCode": 2, "error": NAMES[2], "message": f"{msg}"}).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


@contextmanager
def serving(app: Reference) -> Iterator[str]:
    """Serve an app in a thread; the URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        config = uvicorn.Config(app, http=JsonH11, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


async def _others_go_ahead() -> None:
    """Let requests that came at the same time get as far as this one."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, passed.set)
    await passed.wait()


def _refusal(request: Request, refused: Refused) -> dict[str, Any]:
    name = NAMES[refused.code]
    fields = {"_responseCode": refused.code, "error": name, "message": f"Refused: {name}."}
    nonce = request.headers.get("x-request-id", "")
    if re.fullmatch(_FORMS["x-request-id"], nonce):
        fields["requestId"] = nonce
    told = {"reason": refused.reason, "balance": refused.balance}
    return fields | {key: value for key, value in told.items() if value is not None}


def _exact(fields: dict[str, Any]) -> str:
    def shown(value: Any) -> str:
        if isinstance(value, list):
            return f"[{','.join(map(_exact, value))}]"
        if not isinstance(value, Decimal):
            return json.dumps(value)
        digits = format(value, "f")
        return (digits.rstrip("0").rstrip(".") if "." in digits else digits) or "0"

    return "{" + ",".join(f"{json.dumps(key)}:{shown(one)}" for key, one in fields.items()) + "}"


def _id(value: Any) -> str:
    if isinstance(value, Integer):
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= 128:
        raise Refused(2)
    if any(unicodedata.category(one) in ("Cc", "Cs") for one in value):
        raise Refused(2)
    return value


def _amount(value: Any) -> Decimal:
    if isinstance(value, str):
        found = _AMOUNT.fullmatch(value)
        if not found or abs(int(found[3] or 0)) > 30:
            raise Refused(2)
        value = Decimal(value)
    if not isinstance(value, Decimal) or value.is_signed() or value >= Decimal(10) ** 15:
        raise Refused(2)
    return value


def _decimals(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _levels(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_levels, inner), default=0) if isinstance(value, dict | list) else 0


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("A key is given twice.")
    return found


def _refuse(name: str) -> None:
    raise ValueError(name)


def _check_claims(session: Session, fields: dict[str, Any]) -> None:
    account = session.account
    for name, known in (("currency", account.currency), ("userId", account.player)):
        if fields.get(name) not in (None, known):
            raise Refused(2)
