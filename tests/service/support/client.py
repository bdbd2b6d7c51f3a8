"""A game provider's client, written from PROTOCOL.md alone: it shares no code with the gateway."""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx

from tests.service.support.http import http_client


@dataclass(frozen=True)
class Answer:
    """A status and a body, its numbers exact."""

    status: int
    body: dict[str, Any]
    headers: httpx.Headers

    @property
    def code(self) -> int:
        """The `_responseCode`."""
        return int(self.body["_responseCode"])


@dataclass
class ProviderClient:
    """Signs as one provider and calls one gateway."""

    url: str
    counterparty_id: str
    secret: str
    http: httpx.Client = field(default_factory=http_client)

    def headers(self, body: bytes, **changed: str | None) -> dict[str, str]:
        """The four headers of a body, signed now; `changed` replaces or (None) removes some.

        Names: `counterparty`, `timestamp`, `nonce`, `sign`; a changed one is signed as changed.
        """
        values = {
            "counterparty": self.counterparty_id,
            "timestamp": str(int(time.time() * 1000)),
            "nonce": secrets.token_hex(16),
        } | {name: value for name, value in changed.items() if value is not None}
        parts = [values[name].encode() for name in ("counterparty", "timestamp", "nonce")]
        message = b".".join([body, *parts] if body else parts)
        mac = hmac.new(self.secret.encode(), message, hashlib.sha256).hexdigest()
        values.setdefault("sign", mac)
        names = {
            "counterparty": "X-Counterparty-Id",
            "timestamp": "X-Timestamp",
            "nonce": "X-Request-Id",
            "sign": "X-Sign",
        }
        removed = {name for name, value in changed.items() if value is None}
        return {names[name]: value for name, value in values.items() if name not in removed}

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        """Send a body; signed now unless headers are given."""
        chosen = self.headers(body) if headers is None else headers
        response = self.http.post(f"{self.url}{path}", content=body, headers=chosen)
        return read_answer(response)

    def get(self, path: str) -> Answer:
        """Ask, signed now, without a body."""
        return read_answer(self.http.get(f"{self.url}{path}", headers=self.headers(b"")))

    def call(self, session_id: str, call: str, **fields: Any) -> Answer:
        """One of the calls about bets: `pay-in`, `pay-out`, `pay-in-out`, `refund`."""
        return self.post(f"/v1/sessions/{session_id}/bets/{call}", encode(fields))

    def balance(self, session_id: str) -> Answer:
        """Ask for the balance of a session's player."""
        return self.get(f"/v1/sessions/{session_id}/balance")

    def status(self, bet_id: str) -> Answer:
        """Ask for the state of a bet."""
        return self.get(f"/v1/bets?betId={quote(bet_id, safe='')}")

    def pay_in_out(self, session_id: str, **fields: Any) -> Answer:
        """A PayInOut of these fields; amounts may be Decimal, text or numbers."""
        return self.post(pay_in_out_path(session_id), encode(fields))


def pay_in_out_path(session_id: str) -> str:
    """Where PayInOut of a session is."""
    return f"/v1/sessions/{session_id}/bets/pay-in-out"


def encode(fields: dict[str, Any]) -> bytes:
    """Fields as JSON; a Decimal becomes the number it is."""
    items = [
        f"{json.dumps(name)}:{value if isinstance(value, Decimal) else json.dumps(value)}"
        for name, value in fields.items()
    ]
    return ("{" + ",".join(items) + "}").encode()


def read_answer(response: httpx.Response) -> Answer:
    """An answer with exact numbers; every answer of ours is JSON with a code."""
    assert response.headers["content-type"] == "application/json; charset=utf-8", response.text
    body = json.loads(response.text, parse_float=Decimal, parse_int=lambda text: Decimal(text))
    assert "_responseCode" in body, response.text
    return Answer(response.status_code, body, response.headers)
