"""A provider's whole part in forty lines of plain Python, written from the protocol."""

import hashlib
import hmac
import http.client
import json
import secrets
import time
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

from tests.service.support.processes import until
from tests.service.support.world import World


class Provider:
    """All that a provider needs: to sign, to send, to read."""

    def __init__(self, url: str, counterparty_id: str, secret: str) -> None:
        self.address = urlsplit(url).netloc
        self.counterparty_id = counterparty_id
        self.secret = secret

    def send(self, method: str, path: str, fields: Any) -> http.client.HTTPConnection:
        """Send a signed request; the answer is not read yet."""
        body = json.dumps(fields).encode() if fields is not None else b""
        stamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(16)
        parts = [self.counterparty_id.encode(), stamp.encode(), nonce.encode()]
        message = b".".join([body, *parts] if body else parts)
        headers = {
            "X-Counterparty-Id": self.counterparty_id,
            "X-Timestamp": stamp,
            "X-Request-Id": nonce,
            "X-Sign": hmac.new(self.secret.encode(), message, hashlib.sha256).hexdigest(),
        }
        connection = http.client.HTTPConnection(self.address, timeout=7)
        connection.request(method, path, body or None, headers)
        return connection

    def ask(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """Send a request and read its answer, numbers exactly."""
        connection = self.send(method, path, fields or None)
        with connection.getresponse() as response:
            text = response.read()
        connection.close()
        answer: dict[str, Any] = json.loads(text, parse_float=Decimal)
        return answer

    def bet(self, session: str, call: str, **fields: Any) -> dict[str, Any]:
        """A call about a bet."""
        return self.ask("POST", f"/v1/sessions/{session}/bets/{call}", **fields)

    def status(self, bet_id: str) -> dict[str, Any]:
        """What has become of a bet."""
        return self.ask("GET", f"/v1/bets?betId={quote(bet_id)}")


def test_a_client_of_forty_lines_gets_what_the_protocol_promises(world: World) -> None:
    known = world.provider()
    first = world.open_session(known, "100.00", player="the player of the story")
    second = world.open_session(known, "0", player="the player of the story")
    provider = Provider(known.url, known.counterparty_id, known.secret)
    world.wait_for_memory()

    # A pay-in whose answer is lost, and its repeat.
    stake = {"betId": "round 1", "gameRoundId": "r1", "betAmount": "10.50"}
    lost = provider.send("POST", f"/v1/sessions/{first.session_id}/bets/pay-in", stake)
    until(lambda: provider.status("round 1")["state"] == "open")
    lost.close()
    taken = provider.bet(first.session_id, "pay-in", **stake)
    assert (taken["_responseCode"], taken["balance"]) == (1, Decimal("89.5"))

    # Its pay-out comes with a new session, and is repeated.
    win = {"betId": "round 1", "winAmount": 25.25, "winOdd": "2.4"}
    paid = provider.bet(second.session_id, "pay-out", **win)
    again = provider.bet(second.session_id, "pay-out", **win)
    assert (paid["_responseCode"], paid["balance"], again) == (1, Decimal("114.75"), paid)

    # A bet that is refunded before it comes never comes.
    refunded = provider.bet(second.session_id, "refund", betId="round 2")
    late = provider.bet(second.session_id, "pay-in", betId="round 2", betAmount=5)
    assert (refunded["_responseCode"], refunded["balance"]) == (1, Decimal("114.75"))
    assert (late["_responseCode"], late["error"]) == (7, "bet_conflict")

    # The balance, and what has become of each bet.
    balance = provider.ask("GET", f"/v1/sessions/{second.session_id}/balance")
    assert balance == {"currency": "EUR", "balance": Decimal("114.75"), "_responseCode": 1}
    assert _shown(provider.status("round 1")) == {
        "betId": "round 1",
        "state": "settled",
        "betAmount": Decimal("10.5"),
        "winAmount": Decimal("25.25"),
        "currency": "EUR",
        "gameRoundId": "r1",
        "betTransactionId": taken["betTransactionId"],
        "winTransactionId": paid["winTransactionId"],
        "_responseCode": 1,
    }
    assert _shown(provider.status("round 2")) == {
        "betId": "round 2",
        "state": "cancelled",
        "currency": "EUR",
        "refundTransactionId": refunded["refundTransactionId"],
        "_responseCode": 1,
    }
    unknown = {"betId": "round 3", "state": "unknown", "_responseCode": 1}
    assert _shown(provider.status("round 3")) == unknown


def _shown(status: dict[str, Any]) -> dict[str, Any]:
    """The fields of a status that apply, without its times."""
    return {
        name: value
        for name, value in status.items()
        if value is not None and name not in ("createdAt", "updatedAt")
    }
