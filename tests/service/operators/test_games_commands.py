"""`betcore provider set-url` and `betcore games`: where a provider is, and what it offers."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from models.database.transactions import transaction
from models.directory.games import (
    ListedGame,
    ReadCatalogue,
    begin_sync,
    record_games,
)
from models.errors import BetcoreError, Superseded
from outbound.catalogue import sync_games
from outbound.client import Outbound
from outbound.schedule import keep_games_synced
from tests.service.support import keys
from tests.service.support.client import ProviderClient
from tests.service.support.fake_provider import FakeProvider, fake_provider
from tests.service.support.operator_cli import Operator
from tests.service.support.processes import until

TRIAL = {
    "BETCORE_OUTBOUND_HTTP_ALLOWED": "true",
    "BETCORE_OUTBOUND_PRIVATE_ADDRESSES_ALLOWED": "true",
}
CRASH = {"gameId": 7, "name": "Crash", "gameCategory": "crash", "maxOdd": 1000.5}
SLOT = {"gameId": "slot", "name": "Slot", "lobbyImgUrl": "https://x.example/slot.png"}


@pytest.fixture
def fake(client: ProviderClient) -> Iterator[FakeProvider]:
    with fake_provider(client) as started:
        yield started


@pytest.fixture(autouse=True)
def trial(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TRIAL.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def synced(operator: Operator, fake: FakeProvider) -> FakeProvider:
    """The provider, whose two games are known."""
    fake.offer(CRASH, SLOT)
    operator.documents("provider", "set-url", operator.provider, fake.url)
    operator.documents("games", "sync", operator.provider)
    return fake


def offered(operator: Operator, *more: str) -> list[str]:
    (listed,) = operator.documents("games", "list", operator.provider, *more)
    return [game["gameId"] for game in listed["games"]]


def test_a_url_is_set_shown_recorded_and_taken_away(operator: Operator) -> None:
    set_url = ("provider", "set-url", operator.provider)
    first = operator.documents(*set_url, "HTTPS://Games.Example.com/x/", "--note", "joined")
    (shown,) = operator.documents("provider", "show", operator.provider)
    (log,) = operator.documents("audit", "list", "--subject", f"provider:{operator.provider}")

    assert first == [{"counterpartyId": operator.provider, "url": "https://games.example.com/x"}]
    assert shown["url"] == "https://games.example.com/x"
    assert log["entries"][0]["action"] == "provider.url"
    assert (log["entries"][0]["facts"], log["entries"][0]["note"]) == (
        {"url": "https://games.example.com/x"},
        "joined",
    )
    operator.documents(*set_url, "--none")
    assert operator.documents("provider", "show", operator.provider)[0]["url"] is None


def test_only_settings_allow_a_url_without_tls_or_of_this_machine(operator: Operator) -> None:
    strict = dict.fromkeys(TRIAL, "false")
    for url in ("http://games.example.com", "https://127.0.0.1", "https://2130706433"):
        set_url = ("provider", "set-url", operator.provider, url)
        assert "The URL" in operator.refusal(*set_url, **strict)


def test_a_url_that_nobody_signed_is_found_by_the_verification(operator: Operator) -> None:
    set_to = "update provider set url = %s where counterparty_id = %s"
    try:
        operator.world.execute(set_to, "https://evil.example", operator.provider)
        found = operator.run("ledger", "verify")
        assert found.exit_code == 1
        assert "evil.example" in found.stdout + found.stderr
    finally:
        operator.world.execute(set_to, None, operator.provider)


def test_games_are_synced_listed_and_their_history_is_kept(
    operator: Operator, synced: FakeProvider
) -> None:
    synced.offer({**CRASH, "maxOdd": "2000"}, {"gameId": "new", "name": "New"}, {"gameId": "slot"})
    (second,) = operator.documents("games", "sync", operator.provider)
    synced.offer({"gameId": "new", "name": "New"})
    operator.documents("games", "sync", operator.provider)
    synced.offer(CRASH)
    (fourth,) = operator.documents("games", "sync", operator.provider)

    (changes,) = second["providers"]
    assert (changes["games"], changes["added"], changes["changed"]) == (3, ["new"], ["7"])
    # The slot's entry cannot be read: the game stays as it was.
    assert (changes["gone"], [bad["gameId"] for bad in changes["bad"]]) == ([], ["slot"])
    assert fourth["providers"][0]["returned"] == ["7"]
    assert offered(operator) == ["7"]
    assert offered(operator, "--gone") == ["7", "new", "slot"]
    assert offered(operator, "--category", "crash") == ["7"]
    (history,) = operator.documents("games", "history", operator.provider, "--game", "7")
    assert [(one["change"], one["maxOdd"]) for one in history["changes"]] == [
        ("returned", 1000.5),
        ("gone", 2000),
        ("changed", 2000),
        ("added", 1000.5),
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b'{"error": "maintenance"}', "maintenance"),
        (b'{"games": []}', "no JSON array"),
        (b"<html>", "no JSON"),
        (b"[1, 2]", "None of the 2 entries"),
        (b"[]", "--allow-empty"),
    ],
)
def test_a_list_that_is_none_changes_nothing_and_the_reason_is_kept(
    operator: Operator, synced: FakeProvider, answer: bytes, says: str
) -> None:
    synced.games = answer

    assert says in operator.refusal("games", "sync", operator.provider)

    assert offered(operator) == ["7", "slot"]
    (shown,) = operator.documents("provider", "show", operator.provider)
    assert says in shown["gamesTrouble"]
    assert shown["gamesSyncedAt"]


def test_an_empty_list_is_recorded_if_that_is_allowed(
    operator: Operator, synced: FakeProvider
) -> None:
    synced.games = b"[]"

    (done,) = operator.documents("games", "sync", operator.provider, "--allow-empty")

    assert done["providers"][0]["gone"] == ["7", "slot"]
    assert offered(operator) == []


def test_a_list_that_was_asked_for_earlier_never_replaces_a_later_one(
    operator: Operator, synced: FakeProvider
) -> None:
    url, row = operator.database_url, operator.world.provider_row(synced.client)
    with transaction(url) as database:
        earlier = begin_sync(database, row)
    operator.documents("games", "sync", operator.provider)
    old = ReadCatalogue([ListedGame("old", "Old", None, None, None)])

    assert earlier
    with pytest.raises(Superseded), transaction(url) as database:
        record_games(database, row, earlier, old)

    assert offered(operator) == ["7", "slot"]


def test_what_failed_earlier_is_no_trouble_of_a_later_list(
    operator: Operator, synced: FakeProvider
) -> None:
    """It asked before, and gave up after the list of another process was recorded."""
    urls = (operator.database_url, keys.CIPHER, operator.provider)
    settings = operator.settings(
        outbound_http_allowed=True, outbound_private_addresses_allowed=True
    )
    answers = iter([b"[]", synced.games])

    def listed() -> bytes:
        said = next(answers)
        if said == b"[]":
            operator.documents("games", "sync", operator.provider)
        return said

    synced.listing = listed
    with pytest.raises(BetcoreError):
        asyncio.run(sync_games(Outbound(settings), *urls))

    (shown,) = operator.documents("provider", "show", operator.provider)
    assert shown["gamesTrouble"] is None


def test_of_several_portals_one_asks_and_what_fails_stops_nobody(
    operator: Operator, synced: FakeProvider
) -> None:
    settings = operator.settings(
        outbound_http_allowed=True,
        outbound_private_addresses_allowed=True,
        games_sync_minutes=0.001,
    )
    operator.documents("provider", "set-url", operator.world.provider().counterparty_id, synced.url)
    synced.offer(SLOT)

    async def run() -> None:
        of = (Outbound(settings), operator.database_url, keys.CIPHER)
        portals = [asyncio.create_task(keep_games_synced(*of)) for _ in range(2)]
        await asyncio.to_thread(until, lambda: offered(operator) == ["slot"])
        assert not any(portal.done() for portal in portals)
        again = await sync_games(*of, operator.provider, every=timedelta(hours=1))
        assert again is None
        for portal in portals:
            portal.cancel()
        await asyncio.gather(*portals, return_exceptions=True)

    asyncio.run(run())
    (history,) = operator.documents("games", "history", operator.provider, "--game", "7")
    assert [one["change"] for one in history["changes"]] == ["gone", "added"]


def test_games_of_a_provider_without_a_url_cannot_be_asked_for(operator: Operator) -> None:
    assert "has no URL" in operator.refusal("games", "sync", operator.provider)
    assert "no provider 'nobody'" in operator.refusal("games", "sync", "nobody")
    assert "no provider 'nobody'" in operator.refusal("games", "list", "nobody")


def test_the_newest_secret_that_is_not_revoked_signs(
    operator: Operator, synced: FakeProvider
) -> None:
    (added,) = operator.documents("provider", "secret", "add", operator.provider)

    assert "bad signature" in operator.refusal("games", "sync", operator.provider)
    revoked = ("--secret-id", added["secretId"])
    operator.documents("provider", "secret", "revoke", operator.provider, *revoked)
    operator.documents("games", "sync", operator.provider)
    assert offered(operator) == [str(CRASH["gameId"]), "slot"]
    assert synced.launches == []
