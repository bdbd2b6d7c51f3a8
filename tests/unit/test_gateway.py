"""The gateway alone: its answers when a server behind it is away, lost or unexpected."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import pytest
import pytest_asyncio
from fakeredis import FakeRedis

from api.wallet.auth import Authenticator
from api.wallet.calls import Call
from api.wallet.errors import ApiError
from broker.admission import Admission, NewCommand, NonceClaim, Result, Verdict
from broker.keys import nonce_key
from models.codes import Code
from models.deadline import Deadline
from models.errors import UnsupportedDatabase
from models.keys import Purpose
from models.ledger.gateway_reads import GatewayReads
from models.outcome import Outcome
from settings import Settings
from tests.service.support import keys
from tests.unit.gateway_parts import (
    CLIENT,
    MEMORY,
    Behind,
    GatewayParts,
    admit,
    gateway_parts,
)

BODY = b'{"betId":"a","betAmount":1,"winAmount":0}'

# The vectors of PROTOCOL.md: a body and the signature of it, with one timestamp and nonce.
STAMP, NONCE = "1719766120806", "5a0679b6e5fa48f6892c777b0fa92392"
VECTORS = {
    b"": "3ebc387518e8c39cd824caeb4414664659d7dacd4c63140b9452c6530bfbe456",
    b'{"betAmount":"10.5","betId":"4178696881","gameRoundId":"c5dfa465-93fc-4e8e-a643-954747f74ca1"'
    b',"winAmount":"55.25"}': "7b0d5609eb27225f88b475d9aed7f4860c13f483dacc7403a0e376649532f8ad",
}


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[GatewayParts]:
    async with gateway_parts() as parts:
        yield parts


@pytest.mark.parametrize(("body", "signature"), VECTORS.items(), ids=["no body", "a body"])
async def test_the_protocols_own_signatures_are_good_and_no_other_is(
    body: bytes, signature: str
) -> None:
    # They were signed in 2024.
    patient = Settings(timestamp_tolerance_seconds=10**10, secrets_key=keys.HEX[Purpose.SECRETS])
    authenticator = Authenticator(patient, cast("GatewayReads", Behind()))
    counterparty = CLIENT.counterparty_id.encode()
    good = Call(counterparty, STAMP.encode(), NONCE.encode(), signature.encode(), body)
    altered = [
        good._replace(timestamp=good.timestamp[:-1] + b"7"),
        good._replace(nonce=good.nonce.upper()),
        good._replace(signature=good.signature[:-1] + b"0"),
        good._replace(body=body + b" "),
        good._replace(counterparty_id=counterparty.upper()),
    ]

    assert (await authenticator.authenticate(good, Deadline.within(5))).provider_id == 7
    for call in altered:
        with pytest.raises(ApiError) as refused:
            await authenticator.authenticate(call, Deadline.within(5))
        assert (refused.value.status, refused.value.code) == (401, 8)
    await authenticator.stop()


@pytest.mark.parametrize(("body", "signature"), VECTORS.items(), ids=["no body", "a body"])
def test_the_client_of_the_tests_signs_as_the_protocol_says(body: bytes, signature: str) -> None:
    assert CLIENT.headers(body, timestamp=STAMP, nonce=NONCE)["X-Sign"] == signature


async def test_providers_that_cannot_be_looked_up_are_99_and_never_8(
    gateway: GatewayParts,
) -> None:
    gateway.behind.away = {"providers"}

    for changed in ({}, {"sign": "0" * 64}, {"counterparty": "nobody"}):
        answer = await gateway.post(BODY, **changed)

        assert (answer.status_code, answer.json()["_responseCode"]) == (503, 99)
        assert answer.headers["retry-after"] == "1"
    assert (gateway.nonces(), gateway.jobs()) == ([], [])


async def test_a_gateway_that_is_not_ready_says_what_to_change_and_names_no_host() -> None:
    unsuited = UnsupportedDatabase("PostgreSQL 17 or newer is needed; this is 16.")

    async with gateway_parts(directory_refresh_seconds=0.01) as gateway:
        gateway.behind.away = {"providers"}
        await gateway.authenticator.start()
        assert "PostgreSQL cannot be reached" in await not_ready(gateway, "PostgreSQL")
        gateway.behind.failure = unsuited
        assert await not_ready(gateway, "newer") == str(unsuited)
        gateway.behind.away = set()
        assert "Redis cannot be reached" in await not_ready(gateway, "Redis")


async def test_secrets_that_were_read_too_long_ago_are_not_judged_by() -> None:
    async with gateway_parts(directory_max_age_seconds=0) as gateway:
        assert (await gateway.post(BODY)).status_code == 200
        gateway.behind.away = {"providers"}

        assert (await gateway.post(BODY)).json()["_responseCode"] == 99


async def test_a_session_that_cannot_be_looked_up_is_99_and_never_3(gateway: GatewayParts) -> None:
    gateway.behind.away = {"sessions"}

    for session_id, nonce in (("a-session", "0" * 32), ("no-session", "1" * 32)):
        answer = await gateway.post(BODY, session_id, nonce=nonce)
        assert (answer.status_code, answer.json()["_responseCode"]) == (503, 99)
        assert nonce in gateway.nonces()
    assert gateway.jobs() == []


async def test_a_session_once_seen_needs_no_look_up(gateway: GatewayParts) -> None:
    await gateway.post(BODY)
    gateway.behind.away = {"sessions"}

    assert (await gateway.post(BODY)).status_code == 200


@pytest.mark.parametrize("body", [BODY, b"not JSON"])
async def test_while_workers_are_suspended_nothing_is_admitted(
    gateway: GatewayParts, body: bytes
) -> None:
    gateway.link.redis.set("rq:suspended", 1)

    answer = await gateway.post(body, nonce="0" * 32)

    expected = (503, 99) if body is BODY else (402, 2)
    assert (answer.status_code, answer.json()["_responseCode"]) == expected
    assert (gateway.nonces(), gateway.jobs()) == (["0" * 32], [])


@pytest.mark.parametrize("body", [BODY, b"not JSON"])
async def test_a_request_from_before_redis_remembers_is_99_and_not_admitted(
    gateway: GatewayParts, body: bytes
) -> None:
    gateway.link.redis.hset(MEMORY, "since", int(time.time() * 1000) + 5_000)

    answer = await gateway.post(body)

    assert (answer.status_code, answer.json()["_responseCode"]) == (503, 99)
    assert gateway.jobs() == []


@pytest.mark.parametrize(
    ("verdict", "status", "code"), [(Verdict.NOT_ADMITTED, 503, 99), (Verdict.UNKNOWN, 504, 0)]
)
async def test_a_request_without_a_result_is_99_only_if_it_was_not_admitted(
    gateway: GatewayParts, verdict: Verdict, status: int, code: int
) -> None:
    gateway.link.becomes = lambda: verdict

    for away in (set(), {"record"}):
        gateway.behind.away = away
        answer = await gateway.post(BODY)
        assert (answer.status_code, answer.json()["_responseCode"]) == (status, code)
        assert ("retry-after" in answer.headers) == (code == 99)


@pytest.mark.parametrize(
    ("recorded", "status", "code"),
    [
        (Outcome(Code.DONE, Decimal(5), (8, 9)), 200, 1),
        (Outcome(Code.INSUFFICIENT_FUNDS, None), 402, 4),
        (Outcome(Code.NOT_ALLOWED, None), 402, 5),
        (Outcome(Code.BET_CONFLICT, None), 402, 7),
    ],
)
async def test_without_a_reply_the_record_speaks(
    gateway: GatewayParts, recorded: Outcome, status: int, code: int
) -> None:
    gateway.link.becomes = lambda: Verdict.UNKNOWN
    gateway.behind.record = recorded

    answer = await gateway.post(BODY)

    assert (answer.status_code, answer.json()["_responseCode"]) == (status, code)


async def test_a_result_is_answered_in_the_order_of_its_ids(gateway: GatewayParts) -> None:
    gateway.link.becomes = lambda: Outcome(Code.DONE, Decimal("1588.50"), (8, 9)).to_json()

    answer = await gateway.post(BODY)

    assert answer.status_code == 200
    assert answer.text == (
        '{"betTransactionId":"8","winTransactionId":"9","balance":1588.5,"_responseCode":1}'
    )


async def test_what_nobody_expected_is_500_with_code_0_and_tells_no_secret(
    gateway: GatewayParts,
) -> None:
    def fail() -> Result:
        raise RuntimeError("password=hunter2")

    gateway.link.becomes = fail

    answer = await gateway.post(BODY)

    assert (answer.status_code, answer.json()["_responseCode"]) == (500, 0)
    assert answer.json()["error"] == "unknown_outcome"
    assert "hunter2" not in answer.text


async def test_a_request_in_hand_is_counted_and_counted_off_again() -> None:
    async with gateway_parts(requests_in_flight_max=1) as gateway:
        for body in (BODY, b"not JSON", BODY):
            assert (await gateway.post(body)).json()["_responseCode"] != 99


COMMAND = NewCommand(42, "pay-in", "a pay-in", "[]")


def admission(nonce: str, **changed: Any) -> Admission:
    """A request that claims its nonce and queues nothing, unless it is changed."""
    now_ms = int(time.time() * 1000)
    claim = NonceClaim(nonce_key(7, nonce), expires_ms=now_ms + 60_000, stamp_ms=now_ms)
    command = changed.pop("command", None)
    return Admission(
        claim._replace(**changed),
        apply_by=Deadline.within(4),
        answer_by=Deadline.within(5),
        command=command,
    )


async def test_a_nonce_is_claimed_once_whatever_the_script_is_sent_for() -> None:
    with FakeRedis() as redis:
        redis.hset(MEMORY, "since", 0)
        first = admission("a" * 32, signature=b"\xff" * 32, command=COMMAND)
        same = admission("A" * 32, signature=b"\xff" * 32, command=COMMAND)
        other = admission("A" * 32, signature=bytes(32))

        assert admit(redis, first, same, other) == [b"A", b"D", b"R"]
        assert admit(redis, first) == [b"A"]  # its own answer was lost: the same again

        assert redis.llen("rq:queue:bets") == 1
        assert redis.hget("betcore:in_flight", "42") == f"42-{first.token}".encode()
        assert 59_000 < redis.pttl(nonce_key(7, "a" * 32)) <= 60_000


async def test_one_refused_request_of_a_tick_leaves_the_others_alone() -> None:
    with FakeRedis() as redis:
        redis.hset(MEMORY, "since", 1)
        letters = admit(
            redis,
            admission("0" * 32, stamp_ms=0, command=COMMAND),
            admission("1" * 32, command=COMMAND),
            admission("1" * 32, signature=b"x" * 32),
            admission("2" * 32, command=COMMAND),
            admission("3" * 32),
        )

        assert letters == [b"F", b"A", b"R", b"A", b"C"]
        [group] = cast("list[bytes]", redis.lrange("rq:queue:bets", 0, -1))
        assert redis.hget("rq:job:" + group.decode(), "accounts") == b"42 42"


async def not_ready(gateway: GatewayParts, about: str) -> str:
    """The message of a 503 of /readyz, when it is about this. It must not name hosts of servers."""
    async with asyncio.timeout(20):
        while True:
            answer = await gateway.ready()
            assert (answer.status_code, answer.json()["_responseCode"]) == (503, 99)
            message: str = answer.json()["message"]
            assert "10.0.0.7" not in message
            if about in message:
                return message
            await asyncio.sleep(0.01)
