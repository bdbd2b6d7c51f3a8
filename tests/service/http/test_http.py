"""Bodies that come in chunks, too long, late or never: each gets an answer in JSON, in time."""

import time
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from tests.service.support.bodies import body, send
from tests.service.support.client import ProviderClient, pay_in_out_path
from tests.service.support.patience import wait_for_quiet
from tests.service.support.processes import GatewayProcess, until
from tests.service.support.raw import Conversation, ask, chunked, conversation, request
from tests.service.support.traces import assert_no_trace
from tests.service.support.world import PlayerSession, World

LIMIT = 16 * 1024
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture(scope="module")
def impatient_gateway(world: World) -> Iterator[GatewayProcess]:
    """A gateway that processes one request at a time and waits 0.7 s for its body."""
    limits = {"BETCORE_ANSWER_WITHIN_SECONDS": "1.2", "BETCORE_REQUESTS_IN_FLIGHT_MAX": "1"}
    with GatewayProcess(world.urls, **limits) as gateway:
        gateway.wait_ready()
        yield gateway


def at(player: PlayerSession, gateway: GatewayProcess) -> PlayerSession:
    own = player.client
    client = ProviderClient(gateway.url, own.counterparty_id, own.secret, own.http)
    return PlayerSession(client, player.session_id, player.account_id)


def in_chunks(player: PlayerSession, sent: bytes, *parts: bytes) -> bytes:
    headers = player.client.headers(sent) | CHUNKED
    return request(pay_in_out_path(player.session_id), chunked(*parts), headers, length=False)


def test_a_body_in_chunks_is_read_up_to_16_kib(world: World, player: PlayerSession) -> None:
    sent = body(x='"' + "x" * (LIMIT - len(body(x='""'))) + '"')
    longer = sent + b" "

    too_long = ask(player.client.url, in_chunks(player, longer, longer[:9_000], longer[9_000:]))
    assert (too_long.status, too_long.code) == (413, 2)
    assert_no_trace(world, player)

    in_bytes = ask(player.client.url, in_chunks(player, sent, *[bytes([byte]) for byte in sent]))
    assert (in_bytes.status, in_bytes.code) == (200, 1)


def test_a_body_that_is_too_long_is_413_before_it_has_ended(
    world: World, player: PlayerSession
) -> None:
    path = pay_in_out_path(player.session_id)
    endless = request(path, b"2000\r\n" + b"x" * 0x2000, CHUNKED, length=False)

    with conversation(player.client.url) as talk:
        talk.send(endless, b"\r\n2001\r\n", b"x" * 0x2001)
        assert talk.answer().status == 413

    wait_for_quiet()
    for more in ({}, {"Expect": "100-continue"}):
        began = time.monotonic()
        announced = request(path, b"", {"Content-Length": str(LIMIT + 1)} | more, length=False)
        assert ask(player.client.url, announced).status == 413
        assert time.monotonic() - began < 2
    assert_no_trace(world, player)


def test_a_client_that_waits_to_be_told_to_continue_is_told(player: PlayerSession) -> None:
    sent = body()
    headers = player.client.headers(sent) | {"Expect": "100-continue"}
    whole = request(pay_in_out_path(player.session_id), sent, headers)

    with conversation(player.client.url) as talk:
        talk.send(whole[: -len(sent)])
        assert talk.response().status_code == 100
        talk.send(sent)
        assert talk.answer().code == 1


def test_no_content_length_is_no_body(world: World, player: PlayerSession) -> None:
    headers = player.client.headers(b"")

    answer = ask(
        player.client.url, request(pay_in_out_path(player.session_id), b"", headers, length=False)
    )

    assert (answer.status, answer.code) == (402, 2)
    assert_no_trace(world, player, headers["X-Request-Id"])


def test_requests_sent_without_waiting_are_answered_in_their_order(player: PlayerSession) -> None:
    path = pay_in_out_path(player.session_id)
    bodies = [body(betId=f'"{name}"') for name in "ab"]
    bets = [request(path, sent, player.client.headers(sent)) for sent in bodies]
    too_long = request(path, b"x" * 20_000, player.client.headers(b""))

    with conversation(player.client.url) as talk:
        talk.send(bets[0], request("/nowhere", b"", {}), too_long, bets[1])
        answers = [talk.answer() for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 404, 413, 200]


def test_long_headers_and_many_of_them_are_nobodys_business(player: PlayerSession) -> None:
    sent = body()
    junk = {"X-Junk": "y" * 100_000} | {f"X-Junk-{number}": "" for number in range(2_000)}

    headers = player.client.headers(sent) | junk
    answer = ask(player.client.url, request(pay_in_out_path(player.session_id), sent, headers))

    assert (answer.status, answer.code) == (200, 1)


def unfinished(player: PlayerSession, sent: bytes) -> bytes:
    """A signed request whose body is still to come."""
    whole = request(pay_in_out_path(player.session_id), sent, player.client.headers(sent))
    return whole[: -len(sent)]


def test_a_body_that_never_comes_is_99_in_time(
    world: World, player: PlayerSession, impatient_gateway: GatewayProcess
) -> None:
    hasty = at(player, impatient_gateway)
    wait_for_quiet()
    began = time.monotonic()

    answer = ask(impatient_gateway.url, unfinished(hasty, body()))

    assert (answer.status, answer.code) == (503, 99)
    assert answer.headers["retry-after"] == "1"
    assert time.monotonic() - began < 2
    assert_no_trace(world, player)
    assert send(hasty, body()).code == 1


def test_a_body_that_comes_byte_by_byte_is_99_in_time(
    world: World, player: PlayerSession, impatient_gateway: GatewayProcess
) -> None:
    hasty, sent, answered = at(player, impatient_gateway), body(), Event()

    def drip(talk: Conversation) -> None:
        for byte in sent:
            if answered.wait(0.1):
                return
            talk.send(bytes([byte]))

    wait_for_quiet()
    with conversation(impatient_gateway.url) as talk:
        began = time.monotonic()
        talk.send(unfinished(hasty, sent))
        dripping = Thread(target=drip, args=(talk,))
        dripping.start()
        answer = talk.answer()
        answered.set()
        dripping.join()

    assert (answer.status, answer.code) == (503, 99)
    assert time.monotonic() - began < 2
    assert_no_trace(world, player)


def test_a_client_that_hangs_up_in_the_middle_of_its_body_takes_up_no_room(
    world: World, player: PlayerSession
) -> None:
    with GatewayProcess(world.urls, BETCORE_REQUESTS_IN_FLIGHT_MAX="5") as gateway:
        gateway.wait_ready()
        own = at(player, gateway)
        for _ in range(5):
            with conversation(gateway.url) as talk:
                talk.send(unfinished(own, body()), b"{")

        wait_for_quiet()
        # Sooner than their bodies would be given up.
        until(lambda: send(own, body()).code == 1, seconds=4)

    assert world.balance(player) == 999


def test_a_gateway_with_too_many_requests_in_hand_says_99_and_takes_nothing(
    world: World, player: PlayerSession
) -> None:
    with GatewayProcess(world.urls, BETCORE_REQUESTS_IN_FLIGHT_MAX="0") as gateway:
        gateway.wait_ready()
        headers = player.client.headers(body())

        refused = send(at(player, gateway), body(), headers)

    assert (refused.status, refused.code) == (503, 99)
    assert refused.headers["retry-after"] == "1"
    assert set(refused.body) == {"_responseCode", "error", "message", "requestId"}
    assert refused.body["error"] == "try_later"
    assert_no_trace(world, player)
    assert send(player, body(), headers).code == 1
