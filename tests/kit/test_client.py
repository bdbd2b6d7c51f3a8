"""Both clients against the reference wallet, and against a network that loses answers."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import formatdate

import httpx
import pytest

from betcore_kit import (
    AsyncClient,
    BetAnswer,
    Client,
    Code,
    Hooks,
    Identity,
    KitError,
    Outcome,
    PayIn,
    PayInOut,
    PayOut,
    Refund,
    RoundBets,
    Schedule,
)
from betcore_kit.calls import Bet
from betcore_kit.client.clients import skew_seconds
from betcore_kit.client.hooks import Attempt, Reply
from betcore_kit.exact import read_json, write_json
from tests.kit.reference_server import Reference, serving

QUICK = Schedule(questions=(0.0, 0.0))


@dataclass(frozen=True)
class Player:
    """A wallet, and a session in it."""

    url: str
    identity: Identity
    session_id: str

    def client(self, **options: object) -> Client:
        """A client of the session's provider."""
        return Client(self.url, self.identity, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(Reference()) as served:
        yield served


@pytest.fixture
def player(url: str) -> Player:
    with httpx.Client(follow_redirects=True) as http:
        made = http.post(f"{url}/sandbox/v1/providers", json={}).json()
        opened = http.post(
            f"{url}/sandbox/portal/v1/sessions",
            json={"currency": "EUR", "balance": "100"},
            headers={"Authorization": f"Bearer {made['token']}"},
        ).json()
    return Player(url, Identity(made["providerId"], made["secret"]), opened["sessionId"])


def bets(session_id: str) -> list[Bet]:
    return [
        PayIn(session_id, "a", Decimal("0.10"), game_round_id="r"),
        PayOut(session_id, "a", "0.30"),
        PayInOut(session_id, "b", 5, "7.5", more={"winOdd": "1.5"}),
        Refund(session_id, "b"),
        PayIn(session_id, "c", 1000),
    ]


async def by_async_client(player: Player) -> tuple[list[BetAnswer], object, object]:
    async with AsyncClient(player.url, player.identity) as client:
        answers = [await client.bet(bet) for bet in bets(player.session_id)]
        return answers, await client.balance(player.session_id), await client.state("a")


def by_sync_client(player: Player) -> tuple[list[BetAnswer], object, object]:
    with player.client() as client:
        answers = [client.bet(bet) for bet in bets(player.session_id)]
        return answers, client.balance(player.session_id), client.state("a")


@pytest.mark.parametrize("way", [by_sync_client, lambda one: asyncio.run(by_async_client(one))])
def test_every_call_has_a_typed_answer_with_exact_amounts(
    player: Player, way: Callable[[Player], tuple[list[BetAnswer], object, object]]
) -> None:
    answers, balance, state = way(player)

    assert [(one.outcome, one.code, one.balance) for one in answers] == [
        (Outcome.DONE, Code.DONE, Decimal("99.9")),
        (Outcome.DONE, Code.DONE, Decimal("100.2")),
        (Outcome.DONE, Code.DONE, Decimal("102.7")),
        (Outcome.DONE, Code.DONE, Decimal("100.2")),
        (Outcome.REFUSED, Code.INSUFFICIENT_FUNDS, Decimal("100.2")),
    ]
    assert answers[0].bet_transaction_id
    assert answers[1].win_transaction_id
    assert answers[3].refund_transaction_id
    assert (balance.balance, balance.currency) == (Decimal("100.2"), "EUR")  # type: ignore[attr-defined]
    told = (state.state, state.bet_amount, state.win_amount)  # type: ignore[attr-defined]
    assert told == ("settled", Decimal("0.1"), Decimal("0.3"))


async def by_round_async(player: Player, transaction: str) -> tuple[RoundBets, object]:
    async with AsyncClient(player.url, player.identity) as client:
        found = await client.state_of_transaction(transaction)
        return await client.bets_of_round("r1"), found


def test_a_round_is_finished_and_asked_about_page_by_page(player: Player) -> None:
    session = player.session_id
    with player.client() as client:
        for number in range(60):
            answer = client.bet(PayIn(session, f"bet {number}", "0.01", game_round_id="r1"))
        client.bet(PayOut(session, "bet 0", 1, game_round_id="r1", round_finished=True))
        late = client.bet(PayIn(session, "late", "0.01", game_round_id="r1"))
        bets = client.bets_of_round("r1")
        found = client.state_of_transaction(str(answer.bet_transaction_id))

    assert late.code is Code.BET_CONFLICT
    assert bets.code is Code.DONE
    assert [one.bet_id for one in bets.bets] == [f"bet {number}" for number in range(60)]
    assert {(one.code, one.state, one.game_round_id) for one in bets.bets} == {
        (Code.DONE, "settled", "r1")
    }
    assert found == bets.bets[59]
    assert asyncio.run(by_round_async(player, str(found.bet_transaction_id))) == (bets, found)


def test_a_round_that_cannot_be_read_to_its_end_is_not_said_to_be_whole() -> None:
    pages = [
        httpx.Response(200, json={"_responseCode": 1, "items": [{"betId": "a"}], "next": "2"}),
        httpx.Response(402, json={"_responseCode": 2}),
    ]
    transport = httpx.MockTransport(lambda _: pages.pop(0))
    with Client("http://wallet.test", Identity("1", "s"), transport=transport) as client:
        found = client.bets_of_round("r")

    assert found.code is Code.INVALID
    assert [one.bet_id for one in found.bets] == ["a"]


def test_pages_that_go_round_in_circles_end() -> None:
    page = {"items": [{"betId": "a"}], "next": "again", "_responseCode": 1}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=page))
    with Client("http://wallet.test", Identity("1", "s"), transport=transport) as client:
        found = client.bets_of_round("r")

    assert (found.code, len(found.bets)) == (Code.UNKNOWN, 2)


class Losing(httpx.HTTPTransport):
    """A network that delivers every request, and loses the first answers."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self.lost = lost
        self.sent: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx."""
        self.sent.append(request)
        answer = super().handle_request(request)
        if self.lost:
            self.lost -= 1
            answer.read()
            raise httpx.ReadTimeout("lost", request=request)
        return answer


@pytest.mark.parametrize(("lost", "calls"), [(1, 2), (2, 3), (3, 4)])
def test_a_lost_answer_moves_money_once_and_each_repeat_has_a_new_nonce(
    player: Player, lost: int, calls: int
) -> None:
    network = Losing(lost)
    with player.client(schedule=QUICK, transport=network) as client:
        answer = client.bet(PayIn(player.session_id, "x", 10))
        balance = client.balance(player.session_id).balance

    assert answer.ok
    assert balance == 90
    assert len(network.sent) == calls + 1
    nonces = {one.headers["X-Request-Id"] for one in network.sent}
    assert len(nonces) == len(network.sent)
    bodies = {one.content for one in network.sent if one.method == "POST"}
    assert len(bodies) == 1


def test_a_bet_that_never_arrived_is_not_admitted_and_sends_nothing_more() -> None:
    identity = Identity("1", "secret")
    schedule = Schedule(try_later=1, retry_after_max=0)
    with Client("http://127.0.0.1:9", identity, schedule) as client:
        answer = client.bet(PayIn("s", "b", 1))
        state = client.state("b")

    assert answer.outcome is Outcome.NOT_ADMITTED
    assert state.code is Code.UNKNOWN
    assert state.state is None


@dataclass
class Seen:
    """What the hooks were told."""

    requests: list[tuple[Attempt, dict[str, str]]] = field(default_factory=list)
    answers: list[Reply] = field(default_factory=list)
    retries: list[tuple[int, str, float]] = field(default_factory=list)
    skews: list[float] = field(default_factory=list)

    def hooks(self) -> Hooks:
        """The hooks that fill this."""
        return Hooks(
            before_request=lambda attempt, headers: self.requests.append((attempt, headers)),
            after_answer=lambda _, reply: self.answers.append(reply),
            on_retry=lambda attempt, pause: self.retries.append(
                (attempt.number, attempt.why, pause)
            ),
            on_clock_skew=self.skews.append,
        )


def test_hooks_see_each_request_each_answer_and_each_repeat(player: Player) -> None:
    seen = Seen()
    with player.client(schedule=QUICK, hooks=seen.hooks(), transport=Losing(1)) as client:
        client.bet(PayIn(player.session_id, "y", 1))

    assert [attempt.number for attempt, _ in seen.requests] == [1, 2]
    assert all("X-Sign" in headers for _, headers in seen.requests)
    assert [reply.status for reply in seen.answers] == [0, 200]
    assert seen.retries == [(2, "unknown outcome", 0.0)]
    assert seen.skews == []


def test_a_clock_that_is_off_is_detected_by_the_date_of_an_answer() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        date = formatdate(time.time() + 60, usegmt=True)
        return httpx.Response(401, json={"_responseCode": 8}, headers={"Date": date})

    seen = Seen()
    transport = httpx.MockTransport(refuse)
    with Client("http://wallet.test", Identity("1", "s"), None, seen.hooks(), transport) as client:
        assert client.bet(PayIn("s", "b", 1)).code is Code.UNAUTHORIZED

    assert len(seen.skews) == 1
    assert 55 < seen.skews[0] < 65
    assert client.clock_skew == seen.skews[0]


def test_a_date_is_exact_to_a_second_and_what_is_none_tells_nothing() -> None:
    assert skew_seconds("Thu, 01 Jan 1970 00:01:40 GMT", 91) == 10.0
    assert skew_seconds("", 0) is None
    assert skew_seconds("yesterday", 0) is None


def test_numbers_are_exact_in_both_directions() -> None:
    text = '{"balance":12345678901234567890.10,"n":1e-2,"i":3}'

    assert read_json(text) == {
        "balance": Decimal("12345678901234567890.10"),
        "n": Decimal("0.01"),
        "i": Decimal(3),
    }
    assert write_json({"a": Decimal("1E-8"), "b": [1, {"c": Decimal("1E+2")}]}) == (
        b'{"a":"0.00000001","b":[1,{"c":"100"}]}'
    )


@pytest.mark.parametrize(
    "amount", [0.1, float("nan"), True, None, "ten", "NaN", Decimal("Infinity")]
)
def test_an_amount_that_is_not_exact_is_refused_before_anything_is_sent(amount: object) -> None:
    if amount is None:
        assert PayIn("s", "b", amount).stake is None  # type: ignore[arg-type]
        return
    with Client("http://wallet.test", Identity("1", "s")) as client, pytest.raises(KitError):
        client.bet(PayIn("s", "b", amount))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["", "wallet.example.com", "ftp://a", "http://", "http://[::1"])
def test_a_url_that_is_none_is_an_error_in_one_line(wrong: str) -> None:
    with pytest.raises(KitError) as error:
        Client(wrong, Identity("1", "s"))

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "secret"), [("", "s"), ("x" * 65, "s"), ("a b", "s"), ("a", "")])
def test_an_identity_that_no_operator_gives_is_an_error(name: str, secret: str) -> None:
    with pytest.raises(KitError):
        Identity(name, secret)


def test_a_secret_is_never_shown() -> None:
    assert "hidden" not in repr(Identity("1", "hidden"))
