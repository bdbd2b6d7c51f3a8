"""`GET /v1/bets` by round and by transaction: whole lists, of one provider, page by page."""

import uuid
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from broker.keys import in_flight_field
from tests.service.support.client import Answer, ProviderClient
from tests.service.support.world import PlayerSession, World
from tests.service.wallet.wallet_checks import KINDS


@pytest.fixture(autouse=True, scope="module")
def memory(world: World) -> None:
    """Redis remembers for so long that states of bets are said."""
    world.wait_for_memory()


def asked(client: ProviderClient, **query: Any) -> Answer:
    """The answer to a question, which is code 1."""
    answer = client.get(f"/v1/bets?{urlencode(query)}")
    assert (answer.status, answer.code) == (200, 1), answer
    return answer


def listed(client: ProviderClient, round_id: str, limit: int) -> list[dict[str, Any]]:
    """All bets of a round, in pages that are full but the last."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = asked(client, gameRoundId=round_id, limit=limit, **cursor).body
        assert set(page) == {"items", "next", "_responseCode"}
        items += page["items"]
        if page["next"] is None:
            return items
        assert len(page["items"]) == limit
        cursor = {"cursor": page["next"]}


def test_a_round_lists_each_bet_of_the_provider_once_as_its_own_question_answers(
    world: World,
) -> None:
    client, stranger = world.provider(), world.open_session(world.provider())
    players = [world.open_session(client) for _ in range(3)]
    round_id = "round № 7 & more"
    names = []
    for number, player in enumerate(players * 3):
        name = f"bet {number}"
        names.append(name)
        player.call("pay-in", name, betAmount=number, gameRoundId=round_id)
    players[0].call("pay-out", "bet 0", winAmount=1)
    players[1].call("refund", "bet 1")
    players[1].call("pay-in-out", "too much", betAmount=10**6, winAmount=0, gameRoundId=round_id)
    players[2].call("refund", "never came", gameRoundId=round_id)
    names += ["too much", "never came"]
    players[0].call("pay-in", "elsewhere", betAmount=1, gameRoundId=f"{round_id} ")
    players[0].call("pay-in", "of no round", betAmount=1)
    stranger.call("pay-in", "bet 0", betAmount=1, gameRoundId=round_id)

    for limit in (1, 2, 4, len(names), 100):
        items = listed(client, round_id, limit)
        assert sorted(item["betId"] for item in items) == sorted(names)
        assert [item["betId"] for item in items] == [
            item["betId"] for item in listed(client, round_id, 100)
        ]
    for item in items:
        alone = client.status(item["betId"]).body
        assert list(alone.items())[:-1] == list(item.items())
        assert item["gameRoundId"] == round_id
    assert [item["betId"] for item in listed(stranger.client, round_id, 5)] == ["bet 0"]
    assert listed(client, "no such round", 5) == []


def test_pages_stay_whole_while_bets_end_between_them(player: PlayerSession) -> None:
    names = [f"bet {number}" for number in range(6)]
    for name in names:
        player.call("pay-in", name, betAmount=1, gameRoundId="r")
    first = asked(player.client, gameRoundId="r", limit=3).body

    player.call("pay-out", names[0], winAmount=0, roundFinished=True)
    rest = asked(player.client, gameRoundId="r", limit=3, cursor=first["next"]).body

    shown = [item["betId"] for item in first["items"] + rest["items"]]
    assert sorted(shown) == names
    assert {item["state"] for item in rest["items"]} == {"settled"}
    assert rest["next"] is None


def test_a_bet_that_may_still_change_is_in_flight_in_the_list_too(
    world: World, player: PlayerSession
) -> None:
    for name in ("a", "b"):
        player.call("pay-in", name, betAmount=1, gameRoundId="r")
    field = in_flight_field(world.provider_row(player.client), "a")
    now = int(world.redis.time()[0]) * 1000
    world.redis.hset("betcore:in_flight", field, f"{now}+60000:{player.account_id}-abc")

    items = {item["betId"]: item for item in listed(player.client, "r", 10)}

    assert (items["a"]["state"], items["b"]["state"]) == ("in_flight", "open")
    assert items["a"]["betAmount"] is None
    world.redis.hdel("betcore:in_flight", field)
    assert {item["state"] for item in listed(player.client, "r", 10)} == {"open"}


def test_a_transaction_of_a_bet_finds_it_for_its_own_provider_alone(
    world: World, player: PlayerSession
) -> None:
    answers = [
        player.call("pay-in", "a", betAmount=3),
        player.call("pay-out", "a", winAmount=1),
        player.call("refund", "a"),
    ]
    ids = [answer.body[name] for answer in answers for name in KINDS if name in answer.body]
    reversal = world.rows(
        "select id from transfer where account = %s and kind = 'win_reversal'", player.account_id
    )
    alone = player.client.status("a").body

    for id_ in [*ids, str(reversal[0][0])]:
        assert asked(player.client, transactionId=id_).body == alone
        foreign = asked(world.provider(), transactionId=id_).body
        assert (foreign["betId"], foreign["state"]) == (None, "unknown")
        assert set(foreign) == set(alone)
    deposit = "select id from transfer where account = %s and kind = 'deposit'"
    for nothing in (world.rows(deposit, player.account_id)[0][0], 2**63 - 1):
        assert asked(player.client, transactionId=nothing).body["state"] == "unknown"


@pytest.mark.parametrize(
    "query",
    [
        *("", "x=1", "limit=5", "betid=a", "cursor="),
        *("betId=a&gameRoundId=r", "betId=a&transactionId=1", "transactionId=1&gameRoundId=r"),
        *("gameRoundId=r&gameRoundId=r", "transactionId=1&transactionId=1"),
        *("gameRoundId=", "gameRoundId", "gameRoundId=" + "a" * 129, "gameRoundId=a%00"),
        *("transactionId=", "transactionId=0", "transactionId=-1", "transactionId=1.0"),
        *("transactionId=a", "transactionId=%2B1", "transactionId=9223372036854775808"),
        *("transactionId=%D9%A1", "transactionId=" + "1" * 30, "transactionId=1e3"),
        *("gameRoundId=r&limit=0", "gameRoundId=r&limit=101", "gameRoundId=r&limit=x"),
        *("gameRoundId=r&limit=", "gameRoundId=r&limit=1&limit=1", "gameRoundId=r&limit=-1"),
        *("gameRoundId=r&cursor=", "gameRoundId=r&cursor=x", "gameRoundId=r&cursor=" + "A" * 32),
        *("gameRoundId=r&cursor=%FF", "gameRoundId=r&cursor=a&cursor=b"),
    ],
)
def test_a_query_that_is_not_exactly_one_question_is_2(player: PlayerSession, query: str) -> None:
    answer = player.client.get(f"/v1/bets?{query}")

    assert (answer.status, answer.code) == (402, 2)


def test_a_cursor_is_of_one_round_and_is_taken_as_it_was_given(player: PlayerSession) -> None:
    for number in range(3):
        for round_id in ("r", "s"):
            name = uuid.uuid4().hex
            player.call("pay-in", name, betAmount=number, gameRoundId=round_id)
    cursor = asked(player.client, gameRoundId="r", limit=2).body["next"]
    refused = [f"gameRoundId=s&cursor={quote(cursor)}"]
    refused += [f"gameRoundId=r&cursor={quote(wrong)}" for wrong in (cursor + "=", cursor[:-4])]

    for query in refused:
        assert player.client.get(f"/v1/bets?{query}").code == 2
    assert len(asked(player.client, gameRoundId="r", cursor=cursor).body["items"]) == 1
