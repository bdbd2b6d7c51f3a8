"""The provider in a box: signatures, launches, and a slot that bets once for each spin."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import httpx
import pytest

from betcore_kit.client.clients import Client
from betcore_kit.client.schedule import Schedule
from betcore_kit.serve.box import Box
from betcore_kit.serve.server import BoxServer
from betcore_kit.serve.slot import REEL, pays
from betcore_kit.signing import Identity, now_ms, signed_headers
from tests.kit.reference_server import Reference, serving
from tests.service.support.http import http_client
from tests.service.support.patience import START
from tests.service.support.processes import until

#: What is not known after one request stays so until somebody asks again.
IMPATIENT = Schedule(timeout=60, repeats=0, try_later=0, questions=(), refund_last=False)


@dataclass
class Network(httpx.BaseTransport):
    """Between the box and the wallet. It loses the answers to the next POSTs."""

    losing: int = 0
    inner: httpx.HTTPTransport = field(default_factory=httpx.HTTPTransport)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx."""
        response = self.inner.handle_request(request)
        if request.method == "POST" and self.losing:
            self.losing -= 1
            response.read()
            raise httpx.ReadError("lost", request=request)
        return response

    def close(self) -> None:
        """Called by httpx."""
        self.inner.close()


@dataclass
class Casino:
    """An aggregator's side: a wallet in memory, the box, and a player's browser."""

    url: str
    wallet: Reference
    identity: Identity
    network: Network
    box: Box
    said: list[str]
    http: httpx.Client

    @property
    def account(self) -> Any:
        """The only player's account in the wallet's books."""
        [session] = self.wallet.wallet.sessions.values()
        return session.account

    @property
    def session_id(self) -> str:
        """The only session."""
        [name] = self.wallet.wallet.sessions
        return name

    def signed(self, method: str, path: str, body: bytes = b"", **changed: str) -> httpx.Response:
        """What the box answers to a request that is signed, but for what is changed."""
        headers = signed_headers(self.identity, body) | changed
        return self.http.request(method, f"{self.url}{path}", content=body, headers=headers)

    def launch(self, **fields: object) -> httpx.Response:
        """Launch the slot as betcore does."""
        usual = {"sessionId": self.session_id, "userId": self.account.player, "currency": "EUR"}
        usual |= {"minBet": None, "maxBet": None, "gameMode": "real"}
        body = json.dumps(usual | fields).encode()
        return self.signed("POST", "/v1/games/slot/launch", body)

    def frame(self, **fields: object) -> str:
        """Where a launched game is."""
        return str(self.launch(**fields).json()["frameUri"])

    def spin(self, frame: str, number: object = 1, stake: object = "1") -> httpx.Response:
        """A click of the player."""
        return self.http.post(f"{frame}/spin", json={"spin": number, "stake": stake})


@pytest.fixture
def casino() -> Iterator[Casino]:
    """A player with 1000 EUR, whose reels turn as always."""
    app, network = Reference(), Network()
    said: list[str] = []
    with (
        serving(app) as wallet,
        ExitStack() as stack,
        http_client(60, follow_redirects=True) as http,
    ):
        made = http.post(f"{wallet}/sandbox/v1/providers", json={}).json()
        bearer = {"Authorization": f"Bearer {made['token']}"}
        asked = {"currency": "EUR", "balance": "1000"}
        http.post(f"{wallet}/sandbox/v1/sessions", json=asked, headers=bearer).raise_for_status()
        identity = Identity(made["providerId"], made["secret"])
        client = stack.enter_context(Client(wallet, identity, IMPATIENT, transport=network))
        server = BoxServer("127.0.0.1", 0)
        box = Box(server.url, client, said.append)
        stack.enter_context(server.serving(box))
        yield Casino(server.url, app, identity, network, box, said, http)


def test_the_game_is_listed_and_launched_at_an_address_that_nobody_can_guess(
    casino: Casino,
) -> None:
    [game] = casino.signed("GET", "/v1/games").json()
    frames = {casino.frame() for _ in range(20)}

    assert game.keys() == {"gameId", "name", "gameCategory", "maxOdd", "lobbyImgUrl"}
    assert httpx.get(game["lobbyImgUrl"]).headers["content-type"] == "image/svg+xml"
    assert len(frames) == 20
    assert min(len(frame.rpartition("/")[2]) for frame in frames) >= 40
    page = httpx.get(frames.pop())
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "://" not in page.text
    missing = httpx.get(f"{casino.url}/play/{'x' * 43}")
    assert (missing.status_code, "not open any more" in missing.text) == (404, True)


def test_only_what_is_signed_for_this_provider_now_and_once_is_answered(casino: Casino) -> None:
    other = Identity(casino.identity.counterparty_id, "another secret")
    stranger = Identity("somebody", casino.identity.secret)
    old = str(int(now_ms()) - 60_000)
    good = signed_headers(casino.identity, b"")
    upper = good | {"X-Sign": good["X-Sign"].upper()}
    without = {name: value for name, value in good.items() if name != "X-Request-Id"}
    twice = [*good.items(), ("X-Sign", good["X-Sign"])]
    bad: list[Any] = [
        *(signed_headers(other, b""), signed_headers(stranger, b""), {}, without, upper, twice),
        *(signed_headers(casino.identity, b"", old), signed_headers(casino.identity, b"{}")),
        signed_headers(casino.identity, b"", nonce="not-a-nonce"),
        good | {"X-Sign": "é"},
    ]
    for headers in bad:
        sent = headers if isinstance(headers, list) else list(headers.items())
        raw = [(name.encode(), value.encode("latin-1")) for name, value in sent]
        refused = casino.http.get(f"{casino.url}/v1/games", headers=raw)
        assert (refused.status_code, refused.json().keys()) == (401, {"error"}), headers
    answers = [casino.http.get(f"{casino.url}/v1/games", headers=good) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 401]
    changed = casino.signed("POST", "/v1/games/slot/launch", b"{}", **{"X-Sign": good["X-Sign"]})
    assert changed.status_code == 401
    assert len([line for line in casino.said if line.startswith("401 ")]) == len(bad) + 2


def test_a_spin_moves_its_stake_and_win_once_however_often_it_is_clicked(casino: Casino) -> None:
    frame = casino.frame()
    with ThreadPoolExecutor(8) as pool:
        answers = [one.json() for one in pool.map(lambda _: casino.spin(frame), range(8))]

    [bet] = casino.wallet.wallet.bets.values()
    assert all(one["last"] == answers[0]["last"] for one in answers)
    assert {(one["next"], one["balance"]) for one in answers} == {(2, answers[0]["balance"])}
    last = answers[0]["last"]
    assert (last["spin"], last["stake"], last["outcome"]) == (1, "1", "done")
    assert Decimal(last["win"]) == bet.win
    moved = casino.account.balance - 1000
    assert Decimal(answers[0]["balance"]) == casino.account.balance
    assert moved == Decimal(last["win"]) - 1
    again = casino.frame()  # the same session in a second window goes on where the first one is
    assert casino.spin(again).json()["last"] == last
    assert casino.http.get(f"{again}/state").json()["next"] == 2
    assert len(casino.wallet.wallet.bets) == 1


def test_a_spin_whose_answer_was_lost_is_asked_for_again_and_is_the_same_bet(
    casino: Casino,
) -> None:
    frame = casino.frame()
    casino.network.losing = 1
    lost = casino.spin(frame, stake="2").json()
    found = casino.spin(frame, stake="5").json()

    assert (lost["last"]["outcome"], lost["next"]) == ("unknown", 1)
    assert "nothing is bet twice" in lost["last"]["told"]
    assert (found["last"]["outcome"], found["last"]["stake"], found["next"]) == ("done", "2", 2)
    assert len(casino.wallet.wallet.bets) == 1
    won = Decimal(found["last"]["win"])
    assert Decimal(found["balance"]) == casino.account.balance == 998 + won


def test_what_the_casino_refuses_is_told_in_words_and_the_next_spin_is_a_new_bet(
    casino: Casino,
) -> None:
    frame = casino.frame()
    casino.account.balance = Decimal("0.5")
    poor = casino.spin(frame).json()
    casino.account.balance = Decimal(10)
    casino.account.blocked = True
    blocked = casino.spin(frame, 2).json()
    casino.account.blocked = False
    [session] = casino.wallet.wallet.sessions.values()
    session.ended = "session_closed"
    ended = casino.spin(frame, 3).json()
    session.ended = None
    good = casino.spin(frame, 4).json()

    assert "does not cover" in poor["last"]["told"]
    assert (poor["balance"], poor["last"]["win"], poor["last"]["reels"]) == ("0.5", "0", [])
    assert "player blocked" in blocked["last"]["told"]
    assert "has ended" in ended["last"]["told"]
    assert good["last"]["outcome"] == "done"
    casino.wallet.wallet.sessions.clear()
    assert "has ended" in casino.http.get(f"{frame}/state").json()["told"]


@pytest.mark.parametrize(
    ("limits", "stakes"),
    [
        ({"minBet": 5, "maxBet": 25}, ["5", "10", "20"]),
        ({"minBet": 0.3, "maxBet": 0.4}, ["0.3"]),
        ({"maxBet": 0.05}, ["0.05"]),
        ({"currency": "JPY"}, ["1", "2", "5", "10", "20", "50", "100"]),
    ],
)
def test_the_stakes_are_within_the_limits_of_the_session(
    casino: Casino, limits: dict[str, object], stakes: list[str]
) -> None:
    frame = casino.frame(**limits)

    assert casino.http.get(f"{frame}/state").json()["stakes"] == stakes
    assert casino.spin(frame, stake="1000").status_code == 409
    assert casino.wallet.wallet.bets == {}


def test_a_launch_that_cannot_be_read_or_of_another_game_is_refused(casino: Casino) -> None:
    for fields in (
        *({"sessionId": None}, {"userId": 7}, {"currency": ""}, {"minBet": "much"}),
        *({"minBet": True}, {"gameMode": "free"}, {"userId": "x" * 200}),
    ):
        refused = casino.launch(**fields)
        assert (refused.status_code, refused.json().keys()) == (400, {"error"}), fields
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 60_000):
        assert casino.signed("POST", "/v1/games/slot/launch", body).status_code == 400
    assert casino.signed("POST", "/v1/games/roulette/launch", b"{}").status_code == 404


def test_bad_input_is_refused_and_the_box_lives_on(casino: Casino) -> None:
    frame = casino.frame()
    token = frame.rpartition("/")[2].encode()
    for spin in ({"spin": True}, {"spin": 0}, {"spin": 2}, {"spin": "1"}, {"stake": 1}):
        refused = casino.http.post(f"{frame}/spin", json={"spin": 1, "stake": "1"} | spin)
        assert refused.status_code == 409, spin
    for body in (b"[]", b"1", b"{}", b"{", b"\xff", b"[" * 60_000):
        kind = {"Content-Type": "application/json"}
        assert casino.http.post(f"{frame}/spin", content=body, headers=kind).status_code == 400
    form = casino.http.post(f"{frame}/spin", content=b'{"spin":1,"stake":"1"}')
    assert form.status_code == 415
    raw = (
        (b"\r\n\r\n", b""),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"DELETE / HTTP/1.1\r\n\r\n", b"501"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
        (b"POST /play/%b/spin HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST /play/%b/spin HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /play/%b/spin HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /static/..%2fbox.py HTTP/1.1\r\n\r\n", b"404"),
    )
    for sent, status in raw:
        answer = spoken(casino.url, sent.replace(b"%b", token))
        assert answer.split(b" ")[1:2] == ([status] if status else []), (sent[:60], answer)
    assert casino.spin(frame).json()["last"]["spin"] == 1


def spoken(url: str, sent: bytes) -> bytes:
    """What the box says to these very bytes, after which nothing more comes."""
    place = httpx.URL(url)
    with socket.create_connection((place.host, place.port or 80), 60) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        try:
            while part := connection.recv(65536):
                found += part
        except ConnectionResetError:  # it did not read all that we sent
            pass
        return found


def test_the_slot_pays_back_less_than_it_takes() -> None:
    places = sum(REEL.values()) ** 3
    back = sum(
        pays(reels) * prod(REEL[symbol] for symbol in reels) for reels in product(REEL, repeat=3)
    )

    assert 0.85 < back / places < 0.98


def test_with_a_file_it_is_the_provider_of_the_file_and_says_what_the_operator_does(
    tmp_path: Path,
) -> None:
    file, log = tmp_path / "config.toml", tmp_path / "log"
    file.write_text('[provider]\ncounterparty_id = "id-7"\nsecret = "its secret"\n')
    options = (
        "--config",
        str(file),
        "--serve",
        "127.0.0.1:0",
        "--public-url",
        "https://g.example/",
    )
    command = ("simulate", "http://127.0.0.1:9", *options)
    with (
        log.open("w") as out,
        subprocess.Popen(
            [sys.executable, "-m", "betcore_kit.cli", *command], stdout=out, stderr=out
        ) as process,
    ):
        try:
            until(lambda: "Ctrl-C ends it." in log.read_text(), log.read_text, START)
            said = log.read_text()
            [there] = re.findall(r"is served at https://g.example, which leads to (\S+)", said)
            headers = signed_headers(Identity("id-7", "its secret"), b"")
            [game] = httpx.get(f"{there}/v1/games", headers=headers).json()
            process.terminate()
            assert process.wait(START) == 0
        finally:
            process.kill()

    assert game["lobbyImgUrl"] == "https://g.example/static/slot.svg"
    assert "  betcore provider set-url id-7 https://g.example\n" in said
    assert "  betcore session open --provider id-7 --player ann " in said
