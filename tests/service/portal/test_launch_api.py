"""Launch by the operator API: the session is live while the provider is asked, and never hangs."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.service.portal.caller import Caller, fresh, problem
from tests.service.support.fake_provider import FakeProvider, fake_provider
from tests.service.support.patience import SOON
from tests.service.support.world import World

FRAME = "https://play.example.com/?token=x"


@dataclass
class Casino:
    """An operator's platform, a provider, and the provider's own server."""

    api: Caller
    fake: FakeProvider

    @property
    def provider_id(self) -> str:
        return self.fake.client.counterparty_id

    def ask(self, headers: Any = None, **fields: Any) -> httpx.Response:
        """Open a session for a game."""
        asked = {"player": fresh(), "currency": "EUR", "providerId": self.provider_id}
        return self.api.post("/sessions", headers, **(asked | {"game": "crash"} | fields))

    def session(self, session_id: str) -> dict[str, Any]:
        """A session as it is now."""
        return dict(self.api.done(self.api.get(f"/sessions/{session_id}")))


@pytest.fixture
def casino(api: Caller, world: World) -> Iterator[Casino]:
    client = world.provider()
    with fake_provider(client) as fake:
        fake.launch = lambda _: (200, b'{"frameUri": "%b"}' % FRAME.encode())
        api.done(api.put(f"/providers/{client.counterparty_id}/url", url=f"{fake.url}/"))
        yield Casino(api, fake)


def test_a_game_is_launched_with_all_that_its_provider_needs(casino: Casino) -> None:
    opened = casino.api.done(
        casino.ask(
            player="ann ä/1", game="crash/ä 1", language="pt-BR", minBet="0.50", maxBet="10"
        ),
        201,
    )

    assert opened["frameUri"] == FRAME
    assert casino.fake.launches == [
        (
            "/v1/games/crash%2F%C3%A4%201/launch",
            {
                "userId": "ann ä/1",
                "sessionId": opened["sessionId"],
                "currency": "EUR",
                "language": "pt-BR",
                "minBet": 0.5,
                "maxBet": 10,
                "gameMode": "real",
            },
        )
    ]
    casino.ask()
    _, bare = casino.fake.launches[-1]
    assert (bare["language"], bare["minBet"], bare["maxBet"]) == ("en", None, None)


def test_the_provider_may_play_before_it_answers_the_launch(casino: Casino, world: World) -> None:
    """It asks for the balance, and sends old refunds and pay-outs, in the old and new session."""
    client = casino.fake.client
    player = world.open_session(client, player=fresh())
    name = world.rows(
        "select external_id from player join account a on a.player_id = player.id where a.id = %s",
        player.account_id,
    )[0][0]
    old = [uuid.uuid4().hex for _ in range(2)]
    for bet in old:
        assert player.call("pay-in", bet, betAmount="10").code == 1
    answers = []

    def launch(body: dict[str, Any]) -> tuple[int, bytes]:
        session = body["sessionId"]
        answers.append(client.balance(session))
        answers.append(client.call(session, "refund", betId=old[0], userId=body["userId"]))
        answers.append(client.call(session, "pay-out", betId=old[1], winAmount="25"))
        answers.append(client.pay_in_out(session, betId=uuid.uuid4().hex, betAmount=1, winAmount=0))
        return 200, b'{"frameUri": "%b"}' % FRAME.encode()

    casino.fake.launch = launch
    opened = casino.api.done(casino.ask(player=name), 201)

    assert opened["frameUri"] == FRAME
    assert [answer.code for answer in answers] == [1, 1, 1, 1]
    assert [answer.body["balance"] for answer in answers] == [980, 990, 1015, 1014]


@pytest.mark.parametrize(
    ("status", "body", "code", "says"),
    [
        (500, b"<h1>Oops</h1>", "provider_bad_answer", "HTTP 500"),
        (200, b"<h1>Hello</h1>", "provider_bad_answer", "no JSON"),
        (200, b'{"error": "no such game"}', "provider_refused", "no such game"),
        (404, b'{"error": "no such game"}', "provider_refused", "HTTP 404, no such game"),
        (302, b"", "provider_bad_answer", "redirect"),
        (200, b"[]", "provider_bad_answer", "no JSON object"),
        (200, b"{}", "provider_bad_answer", "frameUri"),
        (200, b'{"frameUri": "javascript:alert(1)"}', "provider_bad_answer", "frameUri"),
        (200, b'{"frameUri": "ftp://x.example"}', "provider_bad_answer", "frameUri"),
        (200, b'{"frameUri": "https://x.example:99999/"}', "provider_bad_answer", "frameUri"),
        (200, b'{"frameUri": "https://-.example/play"}', "provider_bad_answer", "frameUri"),
        (200, b'{"frameUri": "' + b"x" * 70_000 + b'"}', "provider_bad_answer", "longer than"),
    ],
)
def test_a_launch_that_fails_closes_the_session_and_the_audit_log_says_why(
    casino: Casino, world: World, status: int, body: bytes, code: str, says: str
) -> None:
    casino.fake.launch = lambda _: (status, body)

    refused = problem(casino.ask(), 502, code)

    assert says in refused["detail"]
    (session_id,) = [said["sessionId"] for _, said in casino.fake.launches]
    assert casino.session(session_id)["endReason"] == "closed"
    (note,) = world.rows(
        "select note from audit_log where action = 'session.closed' and subject = %s", session_id
    )
    assert note[0].startswith("launch failed: ")
    assert says in note[0]


def test_a_provider_that_does_not_answer_is_given_up_and_then_not_asked(casino: Casino) -> None:
    free = threading.Event()
    casino.fake.launch = lambda _: (200, b"{}") if free.wait(SOON) else (500, b"")

    try:
        with ThreadPoolExecutor() as pool:
            for answer in pool.map(lambda _: casino.ask(), range(3)):
                problem(answer, 504, "provider_timeout")
        paused = problem(casino.ask(), 502, "provider_paused")
    finally:
        free.set()

    assert "3 calls" in paused["detail"]
    assert len(casino.fake.launches) == 3
    for _, body in casino.fake.launches:
        assert casino.session(body["sessionId"])["state"] == "closed"


def test_a_repeat_gets_the_same_session_and_frame_and_launches_nothing(casino: Casino) -> None:
    asked = {"player": fresh(), "headers": {"Idempotency-Key": uuid.uuid4().hex}}
    first = casino.ask(**asked)

    again = casino.ask(**asked)

    assert casino.api.done(again, 201) == casino.api.done(first, 201)
    assert again.headers["location"] == first.headers["location"]
    assert len(casino.fake.launches) == 1


def test_a_repeat_of_a_failed_launch_gets_the_same_failure(casino: Casino) -> None:
    casino.fake.launch = lambda _: (500, b"")
    asked = {"player": fresh(), "headers": {"Idempotency-Key": uuid.uuid4().hex}}
    first = problem(casino.ask(**asked), 502, "provider_bad_answer")

    assert problem(casino.ask(**asked), 502, "provider_bad_answer") == first
    assert len(casino.fake.launches) == 1


def test_a_repeat_while_the_launch_is_in_progress_waits_its_turn(casino: Casino) -> None:
    asked = {"player": fresh(), "headers": {"Idempotency-Key": uuid.uuid4().hex}}
    repeats = []

    def launch(_: Any) -> tuple[int, bytes]:
        repeats.append(casino.ask(**asked))
        return 200, b'{"frameUri": "%b"}' % FRAME.encode()

    casino.fake.launch = launch
    opened = casino.api.done(casino.ask(**asked), 201)

    problem(repeats[0], 409, "idempotency_key_in_progress")
    assert casino.api.done(casino.ask(**asked), 201) == opened
    assert len(casino.fake.launches) == 1


def test_a_repeat_launches_the_session_again_whose_portal_was_lost(
    casino: Casino, world: World
) -> None:
    """The portal was killed after the session was committed, and before it had a frame."""
    name = uuid.uuid4().hex
    asked = {"player": fresh(), "headers": {"Idempotency-Key": name}}
    opened = casino.api.done(casino.ask(**asked), 201)
    without_frame = {field: opened[field] for field in opened if field != "frameUri"}
    world.execute(
        "update idempotent_request set status = null, created_at = now() - interval '10 minutes',"
        " answer = (answer::jsonb - 'frameUri')::text where name = %s",
        name,
    )

    again = casino.api.done(casino.ask(**asked), 201)

    assert again == without_frame | {"frameUri": FRAME}
    assert [body["sessionId"] for _, body in casino.fake.launches] == [opened["sessionId"]] * 2


def test_of_two_repeats_after_a_lost_portal_one_launches_the_session(
    casino: Casino, world: World
) -> None:
    """Otherwise one could close the session, while the other hands its frame to the player."""
    name = uuid.uuid4().hex
    asked = {"player": fresh(), "headers": {"Idempotency-Key": name}}
    casino.api.done(casino.ask(**asked), 201)
    world.execute(
        "update idempotent_request set status = null, created_at = now() - interval '10 minutes',"
        " answer = (answer::jsonb - 'frameUri')::text where name = %s",
        name,
    )
    repeats: list[httpx.Response | None] = []

    def launch(_: Any) -> tuple[int, bytes]:
        if not repeats:
            repeats.append(None)  # so that it asks once
            repeats.append(casino.ask(**asked))
        return 200, b'{"frameUri": "%b"}' % FRAME.encode()

    casino.fake.launch = launch

    assert casino.api.done(casino.ask(**asked), 201)["frameUri"] == FRAME
    assert repeats[1] is not None
    problem(repeats[1], 409, "idempotency_key_in_progress")
    assert len(casino.fake.launches) == 2  # the first one, and one repeat


@pytest.mark.parametrize("end", ["close", "replace"])
def test_a_session_that_ended_while_its_game_was_launched_is_not_handed_out(
    casino: Casino, end: str
) -> None:
    player = fresh()

    def launch(body: dict[str, Any]) -> tuple[int, bytes]:
        if end == "close":
            casino.api.done(casino.api.post(f"/sessions/{body['sessionId']}/close"))
        elif len(casino.fake.launches) == 1:
            casino.api.done(casino.ask(player=player, replace=True, launch=False), 201)
        return 200, b'{"frameUri": "%b"}' % FRAME.encode()

    casino.fake.launch = launch
    refused = problem(casino.ask(player=player), 409, "ended")

    (session_id,) = [said["sessionId"] for _, said in casino.fake.launches]
    assert refused["detail"] == f"The session {session_id!r} is closed: open another one."


def test_without_a_game_a_url_or_the_wish_no_game_is_launched(casino: Casino, world: World) -> None:
    other = world.provider().counterparty_id
    for fields in ({"game": None}, {"launch": False}, {"providerId": other}):
        opened = casino.api.done(casino.ask(**fields), 201)
        assert "frameUri" not in opened
        assert casino.session(opened["sessionId"])["state"] == "open"
    assert casino.fake.launches == []
    problem(casino.ask(launch="no"), 422, "invalid_request")


def test_a_game_that_the_synced_list_does_not_have_is_not_launched(casino: Casino) -> None:
    api, games = casino.api, f"/providers/{casino.provider_id}/games"
    casino.fake.offer({"gameId": "crash", "name": "Crash"}, {"gameId": "old", "name": "Old"})
    assert api.done(api.post(f"{games}/sync"))["added"] == ["crash", "old"]
    casino.fake.offer({"gameId": "crash", "name": "Crash", "maxOdd": "1.5"}, {"gameId": "bad"})
    synced = api.done(api.post(f"{games}/sync"))

    assert (synced["changed"], synced["gone"], synced["games"]) == (["crash"], ["old"], 1)
    assert synced["bad"] == [{"entry": 2, "gameId": "bad", "why": "name is missing."}]
    assert "no game 'new'" in problem(casino.ask(game="new"), 404, "not_found")["detail"]
    assert "any more" in problem(casino.ask(game="old"), 404, "not_found")["detail"]
    api.done(casino.ask(), 201)
    listed = api.done(api.get("/games", providerId=casino.provider_id, gone="true", limit=1))
    assert [game["gameId"] for game in listed["items"]] == ["crash"]
    more = {"providerId": casino.provider_id, "gone": "true", "cursor": listed["next"]}
    assert [one["gameId"] for one in api.done(api.get("/games", **more))["items"]] == ["old"]
    history = api.done(api.get(f"{games}/history", gameId="crash"))["items"]
    assert [(one["change"], one["maxOdd"]) for one in history] == [
        ("changed", "1.5"),
        ("added", None),
    ]
    casino.fake.games = b"[]"
    problem(api.post(f"{games}/sync"), 422, "invalid_request")
    assert api.done(api.post(f"{games}/sync", allowEmpty=True))["gone"] == ["crash"]


def test_a_url_is_shown_and_can_be_taken_away(casino: Casino) -> None:
    at = f"/providers/{casino.provider_id}"
    api = casino.api
    assert api.done(api.get(at))["url"] == casino.fake.url
    problem(api.put(f"{at}/url", url="https://u@x.example"), 422, "invalid_request")
    assert api.done(api.put(f"{at}/url", url=None)) == {"url": None}
    problem(api.post(f"{at}/games/sync"), 409, "provider_not_callable")
    problem(api.post("/providers/nobody/games/sync"), 404, "not_found")
