"""Promises of a sandbox's wallet: it says why, it does what a magic bet asks, and it records."""

import json
import secrets
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from models.audit.log import operation
from models.directory.provider_rules import set_lock
from models.reason import Reason
from tests.service.sandbox.newcomer import Newcomer, Sandbox
from tests.service.support import keys
from tests.service.support.client import encode, read_answer
from tests.service.support.processes import GatewayProcess, until
from tests.service.support.world import PlayerSession

PAY_IN_OUT = "pay-in-out"


@pytest.fixture
def session(newcomer: Newcomer) -> PlayerSession:
    """A session of the newcomer, with 1000 EUR."""
    return newcomer.session()


def bet(fault: str) -> str:
    """The betId of a magic bet that nobody has used."""
    return f"sandbox-{fault}-{secrets.token_hex(4)}"


def test_a_401_says_which_mistake_was_made_and_nothing_secret(
    newcomer: Newcomer, session: PlayerSession
) -> None:
    client, body = newcomer.client, b'{"betId":"1","betAmount":1,"winAmount":0}'
    path = f"/v1/sessions/{session.session_id}/bets/pay-in-out"
    good = client.headers(body)
    for mistake, headers in (
        ("missing_header", client.headers(body, sign=None) | {"X-Sign": ""}),
        ("timestamp_seconds", client.headers(body, timestamp="1719766120")),
        ("upper_case", good | {"X-Sign": good["X-Sign"].upper()}),
        ("body_left_out", good | {"X-Sign": client.headers(b"", **of(good))["X-Sign"]}),
        ("unknown_provider", client.headers(body, counterparty="nobody")),
        ("unknown", good | {"X-Sign": "0" * 64}),
    ):
        answer = client.post(path, body, headers)
        assert (answer.status, answer.code) == (401, 8)
        assert answer.body["explain"]["mistake"] == mistake
        assert answer.body["message"] == "The request could not be authenticated."
        said = json.dumps(answer.body, default=str)
        assert client.secret not in said
        assert good["X-Sign"] not in said
    wanted = ".".join(
        (body.decode(), client.counterparty_id, good["X-Timestamp"], good["X-Request-Id"])
    )
    explained = client.post(path, body, good | {"X-Sign": "0" * 64}).body["explain"]
    assert explained["message"] == wanted


def of(headers: dict[str, str]) -> dict[str, str]:
    """The values of headers, as `ProviderClient.headers` takes them."""
    return {"timestamp": headers["X-Timestamp"], "nonce": headers["X-Request-Id"]}


def test_a_nonce_that_was_used_and_the_secret_of_another_provider_are_told(
    sandbox: Sandbox, newcomer: Newcomer, session: PlayerSession
) -> None:
    path = f"/v1/sessions/{session.session_id}/bets/pay-in"
    nonce = secrets.token_hex(16)
    for body, told in ((b'{"betId":"1","betAmount":1}', None), (b'{"betId":"2"}', "nonce_used")):
        answer = newcomer.client.post(path, body, newcomer.client.headers(body, nonce=nonce))
        assert answer.body.get("explain", {}).get("mistake") == told
    with sandbox.newcomer() as other:
        newcomer.client.secret = other.client.secret
        answer = newcomer.client.balance(session.session_id)
        assert answer.body["explain"]["mistake"] == "other_secret"


def test_a_good_signature_of_a_locked_provider_is_no_mistake_of_its_own(
    sandbox: Sandbox, newcomer: Newcomer, session: PlayerSession
) -> None:
    with operation(sandbox.world.operator_url, keys.AUTHOR) as database:
        set_lock(database, newcomer.id, locked=True)

    def explained() -> dict[str, str]:
        return dict(newcomer.client.balance(session.session_id).body.get("explain", {}))

    until(lambda: bool(explained()))  # within 2 s
    assert explained()["mistake"] == "unknown"
    assert explained()["sentence"] == "The signature is good, but the provider is locked."


def test_outside_a_sandbox_a_401_explains_nothing_and_magic_is_an_ordinary_name(
    sandbox: Sandbox, newcomer: Newcomer, session: PlayerSession
) -> None:
    with GatewayProcess(sandbox.world.urls) as ordinary:
        ordinary.wait_ready()
        newcomer.client.url = ordinary.url
        assert session.pay_in_out(1, 0, betId=bet("99")).code == 1
        assert "explain" not in newcomer.client.post("/v1/bets", b"").body
        newcomer.client.secret = "another"
        refused = session.balance()
        assert (refused.code, "explain" in refused.body) == (8, False)
        assert read_answer(httpx.get(f"{ordinary.url}/sandbox/v1/requests")).status == 404


def becomes(newcomer: Newcomer, bet_id: str) -> str:
    """The state of a bet once it is not in flight any more: its answer may come before that."""
    states: list[str] = []

    def has_landed() -> bool:
        states.append(newcomer.client.status(bet_id).body["state"])
        return states[-1] != "in_flight"

    until(has_landed)
    return states[-1]


def test_a_fault_hits_the_first_request_and_the_repeat_shows_what_was_done(
    newcomer: Newcomer, session: PlayerSession
) -> None:
    for fault, status, code, applied in (
        ("0", 504, 0, True),
        ("0-nothing", 504, 0, False),
        ("99", 503, 99, False),
        ("429", 429, 99, False),
        ("slow-1s", 200, 1, True),
        ("delayed-1s", 200, 1, True),
    ):
        bet_id = bet(fault)
        before = session.balance().body["balance"]
        answer = session.pay_in_out(1, 0, betId=bet_id)
        assert (answer.status, answer.code) == (status, code), fault
        assert becomes(newcomer, bet_id) == ("settled" if applied else "unknown"), fault
        assert ("retry-after" in answer.headers) == (code == 99)
        again = session.pay_in_out(1, 0, betId=bet_id)
        assert (again.code, again.body["balance"]) == (1, before - 1), fault


def test_an_answer_that_is_lost_ends_the_connection_and_502_is_not_ours(
    newcomer: Newcomer, session: PlayerSession
) -> None:
    for fault, state in (("lost", "settled"), ("lost-nothing", "unknown")):
        bet_id = bet(fault)
        with pytest.raises(httpx.RemoteProtocolError):
            session.pay_in_out(1, 0, betId=bet_id)
        assert becomes(newcomer, bet_id) == state
        assert session.pay_in_out(1, 0, betId=bet_id).code == 1
    body = encode({"betId": bet("502"), "betAmount": 1, "winAmount": 0})
    url = f"{newcomer.client.url}/v1/sessions/{session.session_id}/bets/pay-in-out"
    proxied = newcomer.http.post(url, content=body, headers=newcomer.client.headers(body))
    assert (proxied.status_code, proxied.headers["content-type"]) == (502, "text/html")


def test_always_hits_every_request_and_a_call_in_the_name_only_this_call(
    session: PlayerSession,
) -> None:
    bet_id = bet("pay-out-always-99")
    assert session.call("pay-in", bet_id, betAmount=5).code == 1
    assert [session.call("pay-out", bet_id, winAmount=1).code for _ in range(2)] == [99, 99]
    assert session.call("refund", bet_id).code == 1


REFUSALS = (
    ("2", 402, 2, None),
    ("3", 402, 3, Reason.SESSION_CLOSED),
    *((f"3-{one}", 402, 3, one) for one in list(Reason)[:3]),
    ("4", 402, 4, None),
    ("5", 402, 5, Reason.PLAYER_BLOCKED),
    *((f"5-{one}", 402, 5, one) for one in list(Reason)[3:]),
    ("7", 402, 7, None),
    ("8", 401, 8, None),
)


def test_a_magic_bet_is_refused_with_the_code_and_reason_in_its_name_each_time(
    session: PlayerSession,
) -> None:
    for name, status, code, reason in REFUSALS:
        bet_id = bet(name)
        for _ in range(2):
            answer = session.pay_in_out(1, 0, betId=bet_id)
            assert (answer.status, answer.code) == (status, code), name
            assert answer.body.get("reason") == reason
            if code in (4, 5):
                assert answer.body["balance"] == 1000
        assert session.call("refund", bet_id).code in ((code,) if code in (2, 7, 8) else (1,))
    assert session.call("pay-out", bet("6"), winAmount=1).code == 6
    assert session.balance().body["balance"] == 1000


def test_a_magic_bet_needs_a_good_signature(newcomer: Newcomer, session: PlayerSession) -> None:
    bet_id, secret = bet("99"), newcomer.client.secret
    newcomer.client.secret = "another"
    assert session.pay_in_out(1, 0, betId=bet_id).code == 8
    newcomer.client.secret = secret
    assert session.pay_in_out(1, 0, betId=bet_id).code == 99
    assert session.pay_in_out(1, 0, betId=bet_id).code == 1


def test_a_fault_of_one_provider_is_not_used_up_by_another(
    sandbox: Sandbox, session: PlayerSession
) -> None:
    bet_id = bet("99")
    assert session.pay_in_out(1, 0, betId=bet_id).code == 99
    with sandbox.newcomer() as other:
        assert other.session().pay_in_out(1, 0, betId=bet_id).code == 99


def test_the_last_requests_are_told_with_what_was_made_of_each(
    newcomer: Newcomer, session: PlayerSession
) -> None:
    hostile = "<script>alert(1)</script>\u2028"
    session.pay_in_out(1, 0, betId=hostile)
    session.pay_in_out(5000, 0, betId="poor")
    session.pay_in_out(1, 0, betId="sandbox-0-x")
    newcomer.client.secret, secret = "another", newcomer.client.secret
    session.balance()
    newcomer.client.secret = secret
    found = newcomer.requests(4)
    assert [(one["call"], one["status"], one["code"]) for one in found] == [
        (PAY_IN_OUT, 200, 1),
        (PAY_IN_OUT, 402, 4),
        (PAY_IN_OUT, 504, 0),
        ("balance", 401, 8),
    ]
    assert [one["fault"] for one in found] == [None, None, "0", None]
    assert found[0]["betId"] == hostile
    assert found[3]["explain"] == "unknown"
    assert json.loads(found[1]["request"]["body"])["betAmount"] == 5000
    assert json.loads(found[1]["answer"]["body"])["error"] == "insufficient_funds"
    names = [name for name, _ in found[1]["request"]["headers"]]
    assert {"x-sign", "x-request-id"} <= set(names)
    later = newcomer.done("GET", f"/requests?after={found[1]['id']}")
    assert [one["id"] for one in later["items"]] == [one["id"] for one in found[2:]]
    assert later["next"] == found[3]["id"]
    at_end = newcomer.done("GET", f"/requests?after={later['next']}")
    assert (at_end["items"], at_end["next"]) == ([], later["next"])


def test_a_record_hides_other_credentials_and_cuts_what_is_long(
    newcomer: Newcomer, session: PlayerSession
) -> None:
    body = encode({"betId": "long", "betAmount": 1, "winAmount": 0, "padding": "x" * 9000})
    headers = newcomer.client.headers(body) | {"Authorization": "Bearer t0k3n", "Cookie": "a=b"}
    path = f"/v1/sessions/{session.session_id}/bets/pay-in-out"
    assert newcomer.client.post(path, body, headers).code == 1
    (one,) = newcomer.requests()
    assert len(one["request"]["body"]) == 4096
    assert one["betId"] == "long"
    assert "t0k3n" not in json.dumps(one)
    assert ["cookie", "(hidden)"] in one["request"]["headers"]


def test_a_list_of_requests_has_a_greatest_length(
    sandbox: Sandbox, newcomer: Newcomer, session: PlayerSession
) -> None:
    for _ in range(205):
        session.balance()
    newcomer.requests(50)
    key = f"betcore:sandbox:requests:{newcomer.id}"
    assert int(sandbox.world.redis.xlen(key)) <= 200
    assert 0 < int(sandbox.world.redis.ttl(key)) <= 3600


@pytest.mark.parametrize(
    "path", ["/sandbox/", "/sandbox/v1/players/a%2Fb?x=%0d%0aSet-Cookie:a", "/sandbox//evil"]
)
def test_a_gateway_sends_the_paths_of_the_sandbox_to_the_portal(
    sandbox: Sandbox, path: str
) -> None:
    host = urlsplit(sandbox.wallet)
    with socket.create_connection((host.hostname, host.port), 60) as raw:
        raw.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        head = raw.recv(65536).decode()
    assert head.startswith("HTTP/1.1 307 ")
    assert f"location: {sandbox.portal}{path}\r\n" in head
    assert "set-cookie" not in head.lower().replace(path.lower(), "")


def malformed() -> tuple[dict[str, Any], ...]:
    """Bodies that look magic and are none."""
    return (
        {"betId": None},
        {"betId": ["sandbox-99-x"]},
        {"betId": "sandbox-"},
        {"betId": "sandbox-nothing-known"},
        {"betId": "sandbox-slow-0s-x"},
        {"other": "sandbox-99-x"},
    )


def test_what_is_no_magic_bet_is_answered_by_the_wallet(session: PlayerSession) -> None:
    for fields in malformed():
        bet_id = fields.get("betId")
        body = encode(fields | {"betAmount": 1, "winAmount": 0})
        path = f"/v1/sessions/{session.session_id}/bets/pay-in-out"
        answer = session.client.post(path, body)
        assert answer.code == (1 if isinstance(bet_id, str) else 2), fields
    long = b"x" * 20_000
    assert session.client.post(path, long).status == 413
