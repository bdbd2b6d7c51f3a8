"""Nonces: each serves one request, whatever its outcome. A refused stranger uses up none."""

import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest

from broker.keys import nonce_key
from tests.service.support.client import Answer, ProviderClient, encode, pay_in_out_path
from tests.service.support.raw import ask, request
from tests.service.support.traces import assert_no_trace, burnt
from tests.service.support.world import PlayerSession, World


def bet(bet_id: str = "a") -> bytes:
    return encode({"betId": bet_id, "betAmount": 1, "winAmount": 0})


def send(player: PlayerSession, body: bytes, headers: dict[str, str], gateway: str = "") -> Answer:
    url = gateway or player.client.url
    return ask(url, request(pay_in_out_path(player.session_id), body, headers))


def together(calls: Sequence[Callable[[], Answer]]) -> list[tuple[int, int]]:
    """Make calls at the same moment; the status and code of each."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> tuple[int, int]:
        start.wait()
        answer = call()
        return answer.status, answer.code

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def bets_of(world: World, player: PlayerSession) -> list[str]:
    provider = world.provider_row(player.client)
    found = world.rows("select bet_id from bet where provider_id = %s order by 1", provider)
    return [bet_id for (bet_id,) in found]


@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.swapcase])
def test_a_nonce_used_again_with_another_body_is_refused_in_either_case_of_letters(
    world: World, player: PlayerSession, spelling: Callable[[str], str]
) -> None:
    nonce = "aB" + secrets.token_hex(15)
    first = send(player, bet("first"), player.client.headers(bet("first"), nonce=nonce))

    headers = player.client.headers(bet("second"), nonce=spelling(nonce))
    second = send(player, bet("second"), headers, world.gateways[1].url)

    assert (first.status, first.code) == (200, 1)
    assert (second.status, second.code) == (401, 8)
    assert "balance" not in second.body
    assert bets_of(world, player) == ["first"]


def test_a_nonce_in_the_other_case_is_used_even_for_the_same_bet(
    world: World, player: PlayerSession
) -> None:
    nonce = "ab" + secrets.token_hex(15)
    send(player, bet(), player.client.headers(bet(), nonce=nonce))

    again = send(player, bet(), player.client.headers(bet(), nonce=nonce.upper()))

    assert (again.status, again.code) == (401, 8)
    assert burnt(world, world.provider_row(player.client)) == {
        nonce_key(world.provider_row(player.client), nonce)
    }


def test_the_very_same_request_again_is_409_and_tells_nothing_of_the_player(
    world: World, player: PlayerSession
) -> None:
    headers = player.client.headers(bet())
    send(player, bet(), headers)

    for gateway in world.gateways:
        again = send(player, bet(), headers, gateway.url)

        assert (again.status, again.code) == (409, 0)
        assert set(again.body) == {"_responseCode", "error", "message", "requestId"}
        assert again.body["error"] == "unknown_outcome"
        assert again.body["requestId"] == headers["X-Request-Id"]
    assert world.balance(player) == 999


def test_of_one_nonce_at_two_gateways_at_once_exactly_one_request_wins(
    world: World, player: PlayerSession
) -> None:
    nonce = secrets.token_hex(16)

    def call(number: int) -> Callable[[], Answer]:
        body = bet(str(number))
        cased = nonce.upper() if number % 3 else nonce
        headers = player.client.headers(body, nonce=cased)
        return lambda: send(player, body, headers, world.gateways[number % 2].url)

    answers = together([call(number) for number in range(12)])

    assert sorted(answers) == [(200, 1)] + [(401, 8)] * 11
    assert bets_of(world, player) == [str(answers.index((200, 1)))]
    assert world.balance(player) == 999


def test_of_one_request_sent_many_times_at_once_exactly_one_is_admitted(
    world: World, player: PlayerSession
) -> None:
    headers = player.client.headers(bet())

    urls = [world.gateways[number % 2].url for number in range(12)]

    answers = together([partial(send, player, bet(), headers, url) for url in urls])

    assert sorted(answers) == [(200, 1)] + [(409, 0)] * 11
    assert world.balance(player) == 999


@pytest.mark.parametrize(
    ("session", "body", "code"),
    [
        (None, b"not JSON", 2),
        (None, b'{"betId":"a","betAmount":-1,"winAmount":0}', 2),
        (None, b'{"betId":"a","betAmount":1,"winAmount":0,"sessionId":"x"}', 2),
        ("no-such-session", bet(), 3),
        ("%00", bet(), 3),
    ],
)
def test_a_refused_body_or_session_burns_the_nonce(
    world: World, player: PlayerSession, session: str | None, body: bytes, code: int
) -> None:
    nonce = secrets.token_hex(16)
    headers = player.client.headers(body, nonce=nonce)
    path = pay_in_out_path(session or player.session_id)
    refused = ask(player.client.url, request(path, body, headers))

    resent = ask(player.client.url, request(path, body, headers))
    reused = send(player, bet(), player.client.headers(bet(), nonce=nonce))

    assert (refused.status, refused.code) == (402, code)
    assert (resent.status, resent.code) == (409, 0)
    assert (reused.status, reused.code) == (401, 8)
    assert_no_trace(world, player, nonce)


def test_a_request_that_is_not_authentic_burns_no_nonce(
    world: World, player: PlayerSession
) -> None:
    own, nonce = player.client, secrets.token_hex(16)
    guesser = ProviderClient(own.url, own.counterparty_id, "wrong", own.http)
    late = str(int((time.time() - 31) * 1000))
    good = own.headers(bet(), nonce=nonce)

    for headers, body in (
        (guesser.headers(bet(), nonce=nonce), bet()),
        (own.headers(bet(), nonce=nonce, timestamp=late), bet()),
        (own.headers(bet(), nonce=nonce, counterparty=None), bet()),
        (good, bet("other")),
    ):
        assert send(player, body, headers).status == 401
        assert world.redis.keys(f"*{nonce}*") == []
    accepted = send(player, bet(), good)

    assert (accepted.status, accepted.code) == (200, 1)


@pytest.mark.parametrize(
    ("status", "method", "path", "body"),
    [
        (404, "POST", "/v1/sessions/{}/bets/pay-in-out/", bet()),
        (404, "POST", "/v2/sessions/{}/bets/pay-in-out", bet()),
        (405, "GET", "/v1/sessions/{}/bets/pay-in-out", b""),
        (405, "PUT", "/v1/sessions/{}/bets/pay-in-out", bet()),
        (413, "POST", "/v1/sessions/{}/bets/pay-in-out", bet("a" * 16_384)),
    ],
)
def test_what_is_no_call_of_ours_burns_no_nonce(
    world: World, player: PlayerSession, status: int, method: str, path: str, body: bytes
) -> None:
    nonce = secrets.token_hex(16)
    headers = player.client.headers(body, nonce=nonce)

    refused = ask(
        player.client.url, request(path.format(player.session_id), body, headers, method=method)
    )

    assert (refused.status, refused.code) == (status, 2)
    assert refused.body["requestId"] == nonce
    assert world.redis.keys(f"*{nonce}*") == []
    assert_no_trace(world, player)
    assert send(player, bet(), player.client.headers(bet(), nonce=nonce)).code == 1


def test_two_providers_may_use_the_same_nonce(world: World) -> None:
    nonce = uuid.uuid4().hex

    for client in (world.provider(), world.provider()):
        player = world.open_session(client)
        assert send(player, bet(), client.headers(bet(), nonce=nonce)).code == 1


@pytest.mark.parametrize("ahead_seconds", [0, 29])
def test_a_nonce_is_kept_for_longer_than_its_timestamp_is_accepted_and_not_for_ever(
    world: World, player: PlayerSession, ahead_seconds: int
) -> None:
    nonce = secrets.token_hex(16)
    stamp_ms = int((time.time() + ahead_seconds) * 1000)

    headers = player.client.headers(bet(), nonce=nonce, timestamp=str(stamp_ms))
    assert send(player, bet(), headers).code == 1

    key = nonce_key(world.provider_row(player.client), nonce)
    forgotten_ms = world.redis.pexpiretime(key)
    assert stamp_ms + 30_000 < forgotten_ms <= stamp_ms + 60_000
