"""Promises of the sandbox about games: a provider names its own server, and launches from it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.service.sandbox.newcomer import Newcomer
from tests.service.support.fake_provider import FakeProvider, fake_provider

FRAME = "https://play.example.com/?token=x"


@pytest.fixture
def server(newcomer: Newcomer) -> Iterator[FakeProvider]:
    """The provider's own server, whose address the sandbox knows."""
    with fake_provider(newcomer.client) as fake:
        fake.offer({"gameId": "crash", "name": "Crash"}, {"gameId": 7, "name": "Seven"})
        fake.launch = lambda _: (200, b'{"frameUri": "%b"}' % FRAME.encode())
        newcomer.done("PUT", "/provider/url", url=fake.url)
        yield fake


def test_a_provider_syncs_its_games_and_a_session_of_one_is_launched(
    newcomer: Newcomer, server: FakeProvider
) -> None:
    synced = newcomer.done("POST", "/games/sync")
    opened: dict[str, Any] = newcomer.done("POST", "/sessions", 201, game="crash", player="ann")

    assert (synced["games"], synced["added"]) == (2, ["crash", "7"])
    assert opened["frameUri"] == FRAME
    [(path, fields)] = server.launches
    assert path == "/v1/games/crash/launch"
    assert (fields["sessionId"], fields["userId"]) == (opened["sessionId"], opened["player"])


def test_a_session_without_a_game_or_not_to_be_launched_has_no_frame(
    newcomer: Newcomer, server: FakeProvider
) -> None:
    without = newcomer.done("POST", "/sessions", 201)
    waits = newcomer.done("POST", "/sessions", 201, game="crash", launch=False)

    assert "frameUri" not in without
    assert "frameUri" not in waits
    assert server.launches == []


def test_a_launch_that_fails_is_told_and_closes_the_session(
    newcomer: Newcomer, server: FakeProvider
) -> None:
    sessions: list[str] = []

    def refuse(fields: Any) -> tuple[int, bytes]:
        sessions.append(fields["sessionId"])
        return 200, b'{"error": "no such game"}'

    server.launch = refuse

    refused = newcomer.call("POST", "/sessions", game="crash")

    assert refused.status_code == 502, refused.text
    assert "no such game" in refused.json()["detail"]
    late = newcomer.client.call(sessions[0], "pay-in", betId="1", betAmount=1)
    assert (late.code, late.body["reason"]) == (3, "session_closed")


@pytest.mark.parametrize(
    ("player", "reason"),
    [
        ("sandbox-closed", "session_closed"),
        ("sandbox-expired", "session_expired"),
        ("sandbox-blocked", "player_blocked"),
    ],
)
def test_a_magic_player_becomes_what_its_name_says_after_its_game_was_launched(
    newcomer: Newcomer, server: FakeProvider, player: str, reason: str
) -> None:
    balances: list[Any] = []

    def launch(fields: Any) -> tuple[int, bytes]:
        balances.append(newcomer.client.balance(fields["sessionId"]).body["balance"])
        return 200, b'{"frameUri": "%b"}' % FRAME.encode()

    server.launch = launch
    opened = newcomer.done("POST", "/sessions", 201, game="crash", player=player)

    assert (opened["frameUri"], balances) == (FRAME, [1000])
    late = newcomer.client.call(opened["sessionId"], "pay-in", betId="1", betAmount=1)
    assert late.body["reason"] == reason


def test_without_a_url_there_are_no_games_to_sync(newcomer: Newcomer) -> None:
    refused = newcomer.call("POST", "/games/sync")

    assert refused.status_code == 409
    assert "has no URL" in refused.json()["detail"]
