"""Each answer that is not success writes a line. A flood writes a few lines and a number."""

import hashlib
import hmac
import logging
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from api.wallet.answer_log import sum_up
from broker.admission import Result, Verdict
from metrics.measured import ANSWERS
from models.codes import Code
from models.ledger.gateway_reads import Directory
from models.outcome import Outcome
from models.reason import Reason
from models.secret_cipher import Encrypted, SecretRow
from tests.unit.gateway_parts import CLIENT, PLACE, GatewayParts, gateway_parts

BODY = b'{"betId":"bet 17","betAmount":1,"winAmount":0}'
NONCE = "5a0679b6e5fa48f6892c777b0fa92392"
UNAUTHORIZED = "The request could not be authenticated."


@pytest.fixture(autouse=True)
def fresh(caplog: pytest.LogCaptureFixture) -> None:
    """Empty the throttle, so that no earlier line counts."""
    sum_up(everything=True)
    caplog.clear()
    caplog.set_level(logging.INFO, "betcore.answers")


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[GatewayParts]:
    async with gateway_parts() as parts:
        yield parts


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines about answers."""
    return [r.getMessage() for r in caplog.records if r.name == "betcore.answers"]


def line(caplog: pytest.LogCaptureFixture) -> tuple[int, str]:
    """The one line about an answer, and its level."""
    (record,) = [r for r in caplog.records if r.name == "betcore.answers"]
    return record.levelno, record.getMessage()


async def test_success_leaves_no_line(
    gateway: GatewayParts, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await gateway.post(BODY)).status_code == 200

    assert lines(caplog) == []


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome(Code.SESSION_CLOSED, Decimal(5), (), Reason.SESSION_EXPIRED), "session_expired"),
        (Outcome(Code.SESSION_CLOSED, Decimal(5), (), Reason.SESSION_CLOSED), "session_closed"),
        (Outcome(Code.INSUFFICIENT_FUNDS, Decimal(5)), "The balance does not cover the stake."),
        (Outcome(Code.NOT_ALLOWED, Decimal(5), (), Reason.PLAYER_BLOCKED), "player_blocked"),
        (Outcome(Code.NOT_ALLOWED, Decimal(5), (), Reason.ABOVE_LIMIT), "above_limit"),
        (Outcome(Code.BET_NOT_FOUND, Decimal(5)), "This bet was never accepted."),
        (
            Outcome(Code.BET_CONFLICT, Decimal(5)),
            "This betId already stands for something else, or its round is finished.",
        ),
    ],
)
async def test_a_refusal_of_the_ledger_says_which_request_and_why_at_info(
    gateway: GatewayParts, caplog: pytest.LogCaptureFixture, outcome: Outcome, reason: str
) -> None:
    gateway.link.becomes = outcome.to_json

    answer = await gateway.post(BODY, nonce=NONCE)

    assert answer.json()["_responseCode"] == outcome.code
    assert answer.json().get("reason") == outcome.reason
    assert line(caplog) == (
        logging.INFO,
        (
            f"answer status=402 code={outcome.code} reason={reason!r} request='{NONCE}'"
            f" provider='{CLIENT.counterparty_id}' session='{PLACE.session_id}' bet='bet 17'"
        ),
    )


def signed_by(secret: str, **changed: str) -> dict[str, str]:
    """Headers of the body, signed with another secret."""
    stamp = str(int(time.time() * 1000))
    parts = [BODY, CLIENT.counterparty_id.encode(), stamp.encode(), NONCE.encode()]
    mac = hmac.new(secret.encode(), b".".join(parts), hashlib.sha256).hexdigest()
    return {"timestamp": stamp, "nonce": NONCE, "sign": mac} | changed


def ago(seconds: float) -> str:
    """A timestamp."""
    return str(int((time.time() - seconds) * 1000))


@pytest.mark.parametrize(
    ("changed", "reason"),  # made when the test runs, because a timestamp grows old
    [
        *[
            (lambda name=name: {name: None}, f"{header} is missing")
            for name, header in (
                ("counterparty", "X-Counterparty-Id"),
                ("timestamp", "X-Timestamp"),
                ("nonce", "X-Request-Id"),
                ("sign", "X-Sign"),
            )
        ],
        (lambda: {"counterparty": "a b"}, "X-Counterparty-Id is malformed"),
        (lambda: {"timestamp": "now"}, "X-Timestamp is malformed"),
        (lambda: {"nonce": "1234"}, "X-Request-Id is malformed"),
        (lambda: {"sign": "ABC"}, "X-Sign is malformed"),
        (
            lambda: {"timestamp": ago(3600)},
            "the timestamp is too old: it is 36NN.N s behind our clock, and may be 30 s",
        ),
        (
            lambda: {"timestamp": ago(-3600)},
            "the timestamp is too far ahead: it is 3NNN.N s ahead of our clock, and may be 30 s",
        ),
        (lambda: {"counterparty": "nobody"}, "the signature is not good: the provider is unknown"),
        (
            lambda: signed_by("another"),
            "the signature is not good: no secret of the provider matches it",
        ),
    ],
)
async def test_a_401_says_in_the_log_alone_which_check_failed(
    gateway: GatewayParts,
    caplog: pytest.LogCaptureFixture,
    changed: Callable[[], dict[str, Any]],
    reason: str,
) -> None:
    answer = await gateway.post(BODY, **changed())

    assert answer.status_code == 401
    body = answer.json()
    body.pop("requestId", None)
    assert body == {"_responseCode": 8, "error": "unauthorized", "message": UNAUTHORIZED}
    level, text = line(caplog)
    assert level == logging.WARNING
    assert "status=401 code=8" in text
    assert text.endswith(f" session='{PLACE.session_id}' bet='bet 17'")
    _, _, rest = text.partition("reason='")
    found, _, rest = rest.partition("' request=")
    assert len(found) == len(reason)
    assert all(a == b or (b == "N" and a.isdigit()) for a, b in zip(found, reason, strict=True))


async def test_a_401_for_want_of_the_key_of_a_providers_secrets_says_so_in_the_log(
    gateway: GatewayParts, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    [stored] = gateway.behind.directory().secrets
    locked = (SecretRow(2, 8, "locked"), Encrypted("another key", b"x"))
    directory = Directory([stored, locked], [])
    monkeypatch.setattr(gateway.behind, "directory", lambda: directory)

    answer = await gateway.post(BODY, counterparty="locked")

    assert answer.status_code == 401
    assert answer.json()["message"] == UNAUTHORIZED
    said = "the signature is not good: the gateway does not have the key of its secrets"
    assert said in line(caplog)[1]


async def test_a_header_that_is_there_twice_is_named(
    gateway: GatewayParts, caplog: pytest.LogCaptureFixture
) -> None:
    headers = [*CLIENT.headers(BODY).items(), ("X-Sign", "0" * 64)]

    answer = await gateway._http.post(
        "/v1/sessions/a-session/bets/pay-in-out", content=BODY, headers=headers
    )

    assert answer.status_code == 401
    assert "reason='X-Sign is there twice'" in line(caplog)[1]


async def test_a_nonce_that_another_request_used_is_named_and_the_very_same_one_too(
    gateway: GatewayParts, caplog: pytest.LogCaptureFixture
) -> None:
    stamp = ago(0)
    await gateway.post(BODY, nonce=NONCE, timestamp=stamp)
    same = await gateway.post(BODY, nonce=NONCE, timestamp=stamp)
    other = await gateway.post(BODY + b" ", nonce=NONCE, timestamp=stamp)

    assert (same.status_code, other.status_code) == (409, 401)
    first, second = [text.partition(" request=")[0] for text in lines(caplog)]
    assert first.startswith("answer status=409 code=0 reason='This very request was received befo")
    assert second == (
        "answer status=401 code=8 reason='the X-Request-Id was used before, with another signature'"
    )


async def test_an_unknown_provider_and_a_wrong_signature_are_throttled_as_one(
    gateway: GatewayParts, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(6):
        await gateway.post(BODY, counterparty="nobody")
        await gateway.post(BODY, sign="0" * 64)
    sum_up(everything=True)

    assert len(lines(caplog)) == 11
    assert lines(caplog)[-1].endswith("reason='the signature is not good' … and 2 more like it")


@pytest.mark.parametrize(
    ("verdict", "status", "code", "reason"),
    [
        (Verdict.SUSPENDED, 503, 99, "The workers are suspended."),
        (Verdict.OVERLOADED, 503, 99, "More bets wait than can be worked on in time."),
        (Verdict.NOT_ADMITTED, 503, 99, "The queue cannot be reached at the moment."),
        (Verdict.UNKNOWN, 504, 0, "The outcome is not known yet"),
    ],
)
async def test_a_request_without_a_result_leaves_a_warning(
    gateway: GatewayParts,
    caplog: pytest.LogCaptureFixture,
    verdict: Verdict,
    status: int,
    code: int,
    reason: str,
) -> None:
    gateway.link.becomes = lambda: verdict

    await gateway.post(BODY, nonce=NONCE)

    level, text = line(caplog)
    assert level == logging.WARNING
    assert text.startswith(f"answer status={status} code={code} reason='{reason}")
    assert text.endswith(
        f"request='{NONCE}' provider='{CLIENT.counterparty_id}' session='a-session' bet='bet 17'"
    )


async def test_what_nobody_expected_leaves_its_line_beside_the_traceback(
    gateway: GatewayParts, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Result:
        raise RuntimeError("password=hunter2")

    gateway.link.becomes = fail

    await gateway.post(BODY, nonce=NONCE)

    level, text = line(caplog)
    assert level == logging.WARNING
    assert "status=500 code=0" in text
    assert f"request='{NONCE}'" in text
    assert text.endswith("bet='bet 17'")
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("body", "session_id", "status", "expected"),
    [
        (b"not JSON", "a-session", 402, "reason='The body is not JSON.'"),
        (b"{}", "a-session", 402, "reason='betId is missing.'"),
        (BODY[:-1] + b',"currency":"FIM"}', "a-session", 402, "The currency in the body is not"),
        (BODY, "nowhere", 402, "reason='session_unknown'"),
        (b" " * 20_000, "a-session", 413, "reason='The body is longer than 16384 bytes.'"),
        (BODY, "a/b", 404, "reason='Not Found.'"),
    ],
)
async def test_what_cannot_be_read_leaves_a_line_too(
    gateway: GatewayParts,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    session_id: str,
    status: int,
    expected: str,
) -> None:
    answer = await gateway.post(body, session_id)

    assert answer.status_code == status
    level, text = line(caplog)
    assert level == logging.INFO
    assert expected in text
    assert "provider=" in text


async def test_a_flood_of_equal_refusals_is_a_few_lines_and_their_number(
    gateway: GatewayParts, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        assert (await gateway.post(b"{}")).status_code == 402
    sum_up(everything=True)

    said = [text for text in lines(caplog) if "request=" in text]
    counts = [int(text.split()[-4]) for text in lines(caplog) if text not in said]
    assert 5 <= len(said) <= 25  # five in each ten seconds
    assert len(said) + sum(counts) == 100
    assert lines(caplog)[-1].startswith("answer status=402 code=2 reason='betId is missing.' … and")


@pytest.mark.parametrize("reason", [Reason.WIN_ABOVE_LIMIT, Reason.WIN_ABOVE_DAILY_LIMIT])
async def test_a_win_above_a_limit_is_a_warning_that_names_the_amount_and_is_counted(
    gateway: GatewayParts, caplog: pytest.LogCaptureFixture, reason: Reason
) -> None:
    gateway.link.becomes = Outcome(Code.NOT_ALLOWED, Decimal(5), (), reason).to_json
    before = sum(ANSWERS.counts.values())

    answer = await gateway.post(BODY)

    assert (answer.status_code, answer.json()["reason"]) == (402, reason)
    level, said = line(caplog)
    assert level == logging.WARNING
    assert f"reason='{reason}: winAmount=" in said
    assert "bet=" in said
    assert sum(ANSWERS.counts.values()) == before + 1
