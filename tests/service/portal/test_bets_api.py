"""Bets by the operator API: every way to search them, in pages, and the life of one."""

import uuid
from typing import Any

import pytest

from tests.service.portal.caller import Caller, problem
from tests.service.support.client import ProviderClient
from tests.service.support.world import PlayerSession, World


class Played:
    """A player with bets in every state, in two sessions."""

    def __init__(self, world: World) -> None:
        client: ProviderClient = world.provider()
        self.player, self.round = f"player {uuid.uuid4().hex}", uuid.uuid4().hex
        self.provider = client.counterparty_id
        self.first: PlayerSession = world.open_session(client, "100", player=self.player)
        self.second: PlayerSession = world.open_session(client, "0", player=self.player)
        self.first.call("pay-in", "open", betAmount=1, gameRoundId=self.round)
        self.first.call("pay-in", "a/b", betAmount=2)
        self.paid = self.first.call("pay-out", "a/b", winAmount="3.5")
        self.second.call("pay-in", "refunded", betAmount=1, gameRoundId=self.round)
        self.second.call("refund", "refunded")
        self.second.call("pay-in", "rejected", betAmount=1000)


@pytest.fixture(scope="module")
def played(world: World) -> Played:
    return Played(world)


def found(api: Caller, **query: Any) -> list[str]:
    """The ids of the bets on the first page, which is the only one."""
    page = api.done(api.get("/bets", **query))
    assert page["next"] is None
    return [bet["betId"] for bet in page["items"]]


def test_bets_are_found_by_everything_that_names_them(api: Caller, played: Played) -> None:
    of_provider = {"providerId": played.provider}
    win = played.paid.body["winTransactionId"]
    second = played.second.session_id

    assert found(api, **of_provider, betId="a/b") == ["a/b"]
    assert found(api, **of_provider, betId="none") == []
    assert found(api, transactionId=win) == ["a/b"]
    assert found(api, transactionId=2**63 - 1) == []
    assert found(api, gameRoundId=played.round) == ["open", "refunded"]
    assert found(api, player=played.player) == ["refunded", "a/b", "open"]
    assert found(api, player=played.player, state="rejected") == ["rejected"]
    assert found(api, sessionId=second) == ["refunded"]
    assert found(api, sessionId=second, gameRoundId=played.round) == ["refunded"]
    assert found(api, **of_provider, state="open") == ["open"]
    assert found(api, **of_provider, state="open", olderThan="0s") == ["open"]
    assert found(api, player=played.player, olderThan="1d") == []


def test_a_page_of_bets_has_their_transfers_and_the_next_one_begins_behind_it(
    api: Caller, played: Played
) -> None:
    query = {"player": played.player, "limit": 1}
    bets, cursor = [], api.done(api.get("/bets", **query))
    while True:
        bets += cursor["items"]
        if cursor["next"] is None:
            break
        cursor = api.done(api.get("/bets", **query, cursor=cursor["next"]))

    assert [bet["betId"] for bet in bets] == ["refunded", "a/b", "open"]
    kinds = [[one["kind"] for one in bet["transfers"]] for bet in bets]
    assert kinds == [["stake", "refund"], ["stake", "win"], ["stake"]]
    assert {bet["player"] for bet in bets} == {played.player}
    assert [bet["betAmount"] for bet in bets] == ["1", "2", "1"]
    other = {"player": played.player, "state": "open"}
    first = api.done(api.get("/bets", **query))["next"]
    problem(api.get("/bets", **other, cursor=first), 422, "invalid_request")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({}, "Name what to search by"),
        ({"betId": "a"}, "Name what to search by"),
        ({"state": "open"}, "Name what to search by"),
        ({"player": "p", "state": "won"}, "state"),
        ({"transactionId": "0"}, "transactionId"),
        ({"transactionId": "9223372036854775808"}, "transactionId"),
        ({"transactionId": "x"}, "transactionId"),
        ({"player": "p", "olderThan": "15"}, "olderThan"),
        ({"player": "p", "olderThan": "999999999d"}, "longer than"),
        ({"requestId": "r"}, "requestId"),
    ],
)
def test_a_search_that_cannot_be_done_says_why(
    api: Caller, query: dict[str, str], says: str
) -> None:
    assert says in problem(api.get("/bets", **query), 422, "invalid_request")["detail"]


def test_a_search_by_what_does_not_exist_is_not_found(api: Caller) -> None:
    for query in ({"player": "nobody"}, {"sessionId": "s"}, {"providerId": "x", "betId": "b"}):
        problem(api.get("/bets", **query), 404, "not_found")


def test_the_life_of_a_bet_tells_what_happened_and_what_vouches_for_it(
    api: Caller, played: Played
) -> None:
    asked = {"providerId": played.provider}

    life = api.done(api.get("/bets/life", betId="a/b", **asked))

    events = [(event["event"], event["facts"].get("amount")) for event in life["events"]]
    assert events == [("session_opened", None), ("stake", "2"), ("win", "3.5")]
    assert life["bet"]["transfers"][1]["transferId"] == played.paid.body["winTransactionId"]
    assert (life["session"]["player"], life["session"]["state"]) == (played.player, "open")
    assert life["journal"]
    refused = api.done(api.get("/bets/life", betId="rejected", **asked))["events"][-1]
    assert (refused["event"], refused["facts"]["reason"]) == ("refused", "insufficient_funds")
    problem(api.get("/bets/life", betId="none", **asked), 404, "not_found")
    problem(api.get("/bets/life", **asked), 422, "invalid_request")


def test_open_bets_are_counted_by_age(api: Caller, played: Played) -> None:
    asked = {"providerId": played.provider}

    (age,) = api.done(api.get("/reports/open-bets/ages", **asked))["items"]

    assert (age["age"], age["bets"], age["stakes"]) == ("under 1 minute", 1, "1")
    text = api.get("/reports/open-bets/ages", format="csv", **asked).text
    assert text.splitlines()[0] == "providerId,name,currency,age,bets,stakes,oldestAt"
    problem(api.get("/reports/open-bets/ages", providerId="x"), 404, "not_found")
