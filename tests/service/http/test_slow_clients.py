"""Clients that are slow, endless or many cost only their own connections."""

import resource
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.service.support.bodies import body, send
from tests.service.support.client import pay_in_out_path
from tests.service.support.processes import BoundedGatewayProcess, Process, until
from tests.service.support.raw import Conversation, conversation, request
from tests.service.support.world import PlayerSession, World

WITHIN_SECONDS = 1.5
IDLE = 10_000


@pytest.fixture(scope="module")
def gateway(world: World) -> Iterator[BoundedGatewayProcess]:
    """A gateway that waits 1.5 s for a request, and less for its body."""
    limits = {
        "BETCORE_REQUEST_ARRIVES_WITHIN_SECONDS": str(WITHIN_SECONDS),
        "BETCORE_REQUESTS_IN_FLIGHT_MAX": "1",
    }
    with BoundedGatewayProcess(world.urls, **limits) as started:
        started.wait_ready()
        yield started


@pytest.fixture
def near(world: World, gateway: BoundedGatewayProcess) -> PlayerSession:
    """A player whose provider calls that gateway."""
    return world.open_session(world.provider(gateway))


def bet(player: PlayerSession, sent: bytes, **more: str) -> bytes:
    """A signed PayInOut as bytes."""
    headers = player.client.headers(sent) | {name.replace("_", "-"): v for name, v in more.items()}
    return request(pay_in_out_path(player.session_id), sent, headers)


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed. Earlier answers are read and dropped."""
    connection.settimeout(0.01)
    try:
        return connection.recv(65_536) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def cut_off(talk: Conversation, sent: bytes, answers: int) -> bool:
    """Whether the connection ends before it has brought so many answers to what is sent."""
    try:
        talk.send(sent)
        for _ in range(answers):
            talk.response()
    except (AssertionError, OSError):
        return True
    return False


def test_what_is_begun_and_not_ended_is_closed_and_what_rests_is_not(
    gateway: BoundedGatewayProcess, near: PlayerSession
) -> None:
    whole = bet(near, body())
    too_long = request(pay_in_out_path(near.session_id), b"x" * 20_000, {})
    begun = {
        "nothing": (b"", b""),
        "empty lines": (b"\r\n", b"\r\n"),
        "a head": (whole[:40], b"x"),
        "a body": (whole[:-20], b" "),
        "empty lines after an answer": (whole, b"\r\n"),
        "a body refused as too long": (too_long[:-15_000], b"x"),
    }
    address = ("127.0.0.1", httpx.URL(gateway.url).port or 0)
    with ExitStack() as stack, conversation(gateway.url) as resting:
        resting.send(bet(near, body(betId='"rests"')))
        assert resting.answer().code == 1
        left = {}
        for name, (first, _) in begun.items():
            left[name] = stack.enter_context(socket.create_connection(address))
            left[name].sendall(first)

        def drip() -> bool:
            for name, connection in list(left.items()):
                if is_closed(connection):
                    del left[name]
                else:
                    connection.settimeout(1)
                    connection.send(begun[name][1])
            return not left

        until(lambda: _quietly(drip), lambda: f"still open: {list(left)}")
        resting.send(bet(near, body(betId='"rests"')))
        assert resting.answer().code == 1


def _quietly(step: object) -> bool:
    assert callable(step)
    try:
        return bool(step())
    except OSError:  # closed between the look and the next byte
        return False


@pytest.mark.parametrize(
    "more",
    [
        {"X-Junk": "y" * 200_000},
        {f"X-Junk-{number}": "y" * 100 for number in range(400)},
    ],
    ids=["one line", "many lines"],
)
def test_a_head_above_16_kib_is_431(
    gateway: BoundedGatewayProcess, near: PlayerSession, more: dict[str, str]
) -> None:
    sent = bet(near, body(), **more)

    with conversation(gateway.url) as talk:
        talk.send(sent[:20_000])
        answer = talk.answer()
        assert cut_off(talk, sent[20_000:], 1)

    assert (answer.status, answer.code) == (431, 2)
    assert send(near, body()).code == 1


def test_what_is_no_http_is_400_in_json(
    gateway: BoundedGatewayProcess, near: PlayerSession
) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n"):
        with conversation(gateway.url) as talk:
            talk.send(sent)
            answer = talk.answer()
        assert (answer.status, answer.code) == (400, 2)
    assert send(near, body()).code == 1


def test_who_sends_hundreds_of_requests_without_waiting_is_cut_off(
    gateway: BoundedGatewayProcess, near: PlayerSession
) -> None:
    many = request("/healthz", b"", {}, method="GET") * 300

    with conversation(gateway.url) as talk:
        assert cut_off(talk, bet(near, body()) + many, 301)

    until(lambda: _code(near) == 1)


def test_an_offer_of_http_2_is_ignored_and_the_body_counts(
    gateway: BoundedGatewayProcess, near: PlayerSession
) -> None:
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMA"}
    sent = [bet(near, body(betId=f'"{name}"'), **offer) for name in "ab"]

    with conversation(gateway.url) as talk:
        talk.send(sent[0])
        assert talk.answer().code == 1
        talk.send(sent[1][:-9])
        talk.send(sent[1][-9:])
        assert talk.answer().code == 1

    for method in ("CONNECT", "GET"):
        with conversation(gateway.url) as talk:
            talk.send(request("/healthz", b"", offer, method=method))
            assert talk.answer().status == (200 if method == "GET" else 405)
    assert "pgrade" not in gateway.output


def test_bodies_on_their_way_take_no_place_of_requests_that_have_come(
    gateway: BoundedGatewayProcess, near: PlayerSession
) -> None:
    with ExitStack() as stack:
        for _ in range(5):
            talk = stack.enter_context(conversation(gateway.url))
            talk.send(bet(near, body())[:-9])

        assert send(near, body()).code == 1


def test_idle_connections_make_room_and_busy_ones_do_not(world: World) -> None:
    with BoundedGatewayProcess(world.urls, BETCORE_CONNECTIONS_MAX="3") as gateway:
        gateway.wait_ready()
        player = world.open_session(world.provider(gateway))
        with ExitStack() as stack:
            talks = [stack.enter_context(conversation(gateway.url)) for _ in range(50)]
            assert send(player, body()).code == 1  # on the 51st, and within the same second
            assert sum(_is_left(talk) for talk in talks) <= 3

        with ExitStack() as stack:
            for _ in range(3):
                busy = stack.enter_context(conversation(gateway.url))
                busy.send(request("/healthz", b"", {}, method="GET"), bet(player, body())[:-1])
                assert busy.answer().code == 1  # so it has read the bet as well
            with conversation(gateway.url) as late:
                refused = late.answer()

        assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, 99, "1")
        until(lambda: _code(player) == 1)


def _is_left(talk: Conversation) -> bool:
    """Whether a request on a connection that was idle is answered."""
    return not cut_off(talk, request("/healthz", b"", {}, method="GET"), 1)


def test_the_answer_of_a_bet_comes_though_what_is_behind_it_ends_the_connection(
    gateway: BoundedGatewayProcess, near: PlayerSession
) -> None:
    """A system that closes with something unread would take back what it has sent."""
    with conversation(gateway.url) as talk:
        talk.send(bet(near, body()), b"no HTTP\r\n\r\n", b"x" * 500_000)
        answers = [talk.answer(), talk.answer()]

    assert [(answer.status, answer.code) for answer in answers] == [(200, 1), (400, 2)]


def test_who_sends_a_bet_and_says_that_nothing_follows_is_answered(
    gateway: BoundedGatewayProcess, near: PlayerSession
) -> None:
    with conversation(gateway.url) as talk:
        talk.send(bet(near, body()))
        talk.end()
        assert talk.answer().code == 1

    with conversation(gateway.url) as talk:
        talk.send(bet(near, body())[:-1])
        talk.end()
        assert talk.answer().status == 400


def test_few_open_files_are_said_and_too_few_are_refused(world: World) -> None:
    class Few(BoundedGatewayProcess):
        open_files = 400

    class TooFew(BoundedGatewayProcess):
        open_files = 100

    with Few(world.urls) as gateway, ExitStack() as stack:
        gateway.wait_ready()
        player = world.open_session(world.provider(gateway))
        assert "only 200 of 16384 connections" in gateway.output
        assert gateway.output.count("ulimit -n") == 1
        for _ in range(300):
            stack.enter_context(conversation(gateway.url))
        assert send(player, body()).code == 1

    with TooFew(world.urls) as refused:
        assert refused.wait() == 1
        assert "100 open files, too few to serve: raise the limit (ulimit -n)" in refused.output
        assert "Traceback" not in refused.output


def _code(player: PlayerSession) -> int:
    try:
        return send(player, body()).code
    except OSError:
        return 99


def test_ten_thousand_idle_connections_keep_nobody_waiting(world: World) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    number = min(IDLE, hard - 500) if hard != resource.RLIM_INFINITY else IDLE
    with BoundedGatewayProcess(world.urls) as gateway, ExitStack() as stack:
        gateway.wait_ready()
        player = world.open_session(world.provider(gateway))
        assert send(player, body()).code == 1
        before = resident_kib(gateway)
        address = ("127.0.0.1", httpx.URL(gateway.url).port or 0)
        for _ in range(number):
            stack.enter_context(socket.create_connection(address))

        for bet_id in ("after", "them", "all"):  # accepted after them all
            assert send(player, body(betId=f'"{bet_id}"')).code == 1

        assert (resident_kib(gateway) - before) / number < 20


def resident_kib(process: Process) -> int:
    """The memory that a process uses."""
    command = ("ps", "-o", "rss=", "-p", str(process.pid))
    return int(subprocess.run(command, capture_output=True, check=True).stdout)
