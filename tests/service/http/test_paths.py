"""Paths and methods: each call has one of each. Others get 404 or 405, in JSON, with code 2."""

import pytest

from tests.service.support.bodies import body
from tests.service.support.client import pay_in_out_path
from tests.service.support.raw import ask, conversation, request
from tests.service.support.traces import assert_no_trace
from tests.service.support.world import PlayerSession, World


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_another_method_is_405_and_says_which_one_is_right(
    world: World, player: PlayerSession, method: str
) -> None:
    path, sent = pay_in_out_path(player.session_id), body()

    answer = ask(player.client.url, request(path, sent, player.client.headers(sent), method))

    assert (answer.status, answer.code) == (405, 2)
    assert answer.headers["allow"] == "POST"
    assert set(answer.body) == {"_responseCode", "error", "message", "requestId"}
    assert_no_trace(world, player)


def test_a_head_is_refused_as_its_get_would_be(player: PlayerSession) -> None:
    with conversation(player.client.url) as talk:
        talk.send(request(pay_in_out_path(player.session_id), b"", {}, "HEAD"))
        response = talk.response(head=True)

    assert response.status_code == 405
    assert response.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/sessions/{}",
        "/v1/sessions/{}/bets/pay-in-out/",
        "/v1/sessions/{}/bets//pay-in-out",
        "//v1/sessions/{}/bets/pay-in-out",
        "/v1/sessions//bets/pay-in-out",
        "/v1/sessions/x/{}/bets/pay-in-out",
        "/v1/sessions/x%2F{}/bets/pay-in-out",
        "/v1/sessions/../sessions/{}/bets/pay-in-out",
        "/V1/sessions/{}/bets/pay-in-out",
        "/v1/sessions/{}/bets/pay-in-out%20",
        "/v1/sessions/{}/bets/pay-in-out%00",
        "/v1/sessions/{}/bets/pay-in-out;x",
        "/%zz%",
        "/" + "x" * 60_000,
        "*",
    ],
    ids=lambda path: path[:50],
)
def test_another_path_is_404(world: World, player: PlayerSession, path: str) -> None:
    sent = body()
    headers = player.client.headers(sent)

    answer = ask(player.client.url, request(path.format(player.session_id), sent, headers))

    assert (answer.status, answer.code) == (404, 2)
    assert answer.body["requestId"] == headers["X-Request-Id"]
    assert_no_trace(world, player)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sessions/{}/bets/pay-in-out?betId=b",
        "/v1/sessions/{}/bets/pay%2Din%2dout",
        "http://elsewhere.example/v1/sessions/{}/bets/pay-in-out",
    ],
)
def test_the_same_path_in_another_spelling_is_the_same_call(
    player: PlayerSession, path: str
) -> None:
    sent = body()

    answer = ask(
        player.client.url,
        request(path.format(player.session_id), sent, player.client.headers(sent)),
    )

    assert (answer.status, answer.code) == (200, 1)


@pytest.mark.parametrize(
    "session", ["%00", "%ff", "%F0%9F%98%80", "x" * 65, "x" * 60_000, "%0d%0a"]
)
def test_a_session_that_cannot_exist_is_3(
    world: World, player: PlayerSession, session: str
) -> None:
    sent = body()
    headers = player.client.headers(sent)

    answer = ask(player.client.url, request(pay_in_out_path(session), sent, headers))

    assert (answer.status, answer.code) == (402, 3)
    assert set(answer.body) == {"_responseCode", "error", "message", "reason", "requestId"}
    assert_no_trace(world, player, headers["X-Request-Id"])
