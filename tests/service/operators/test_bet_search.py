"""The search of bets, a bet's life, and open bets by age: what an operator asks about bets."""

import uuid
from decimal import Decimal
from typing import Any

import pytest

from models.errors import InvalidRequest
from models.reports.bets import BetFilter, BetPage, find_bets
from tests.service.support.client import ProviderClient
from tests.service.support.operator_cli import Operator
from tests.service.support.world import PlayerSession, World


class Played:
    """A player with bets in every state, in two sessions."""

    def __init__(self, world: World, client: ProviderClient) -> None:
        self.name = uuid.uuid4().hex
        self.provider = client.counterparty_id
        self.round = uuid.uuid4().hex
        self.first = world.open_session(client, "100", player=self.name)
        self.second = world.open_session(client, "0", player=self.name)
        self.open = self.first.call("pay-in", "open", betAmount=1, gameRoundId=self.round)
        self.first.call("pay-in", "settled", betAmount=2)
        self.paid = self.first.call("pay-out", "settled", winAmount="3.5")
        self.second.call("pay-in", "refunded", betAmount=1, gameRoundId=self.round)
        self.undone = self.second.call("refund", "refunded")
        self.second.call("pay-in", "rejected", betAmount=1000)
        self.second.call("refund", "cancelled")
        self.third: PlayerSession = world.open_session(
            client, "5", player=self.name, currency="USD"
        )
        self.third.pay_in_out(1, 0, betId="in dollars")


@pytest.fixture(scope="module")
def played(world: World) -> Played:
    return Played(world, world.provider())


def names(operator: Operator, *options: str) -> list[str]:
    """The bets that `betcore bet list` finds."""
    (document,) = operator.documents("bet", "list", *options)
    return [bet["betId"] for bet in document["bets"]]


def test_a_bet_is_found_by_its_bet_id_and_by_each_of_its_transaction_ids(
    operator: Operator, played: Played
) -> None:
    stake, win = played.open.body["betTransactionId"], played.paid.body["winTransactionId"]
    undone = played.undone.body["refundTransactionId"]

    assert names(operator, "--provider", played.provider, "--bet-id", "settled") == ["settled"]
    assert names(operator, "--transaction", stake) == ["open"]
    assert names(operator, "--transaction", win) == ["settled"]
    assert names(operator, "--transaction", undone) == ["refunded"]
    assert names(operator, "--transaction", undone, "--state", "open") == []
    assert names(operator, "--transaction", "999999999999") == []


def test_bets_are_found_by_round_player_session_and_state(
    operator: Operator, played: Played
) -> None:
    second = played.second.session_id
    of_player = ["cancelled", "refunded", "settled", "open", "in dollars"]

    assert names(operator, "--round", played.round) == ["open", "refunded"]
    assert names(operator, "--player", played.name) == of_player
    assert names(operator, "--player", played.name, "--state", "rejected") == ["rejected"]
    assert names(operator, "--player", played.name, "--limit", "2") == of_player[:2]
    assert names(operator, "--session", second) == ["cancelled", "refunded"]
    assert names(operator, "--session", second, "--state", "rejected") == ["rejected"]
    assert names(operator, "--session", second, "--round", played.round) == ["refunded"]
    assert names(operator, "--player", played.name, "--older-than", "1d") == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"player": True},
        {"round_id": True},
        {"session_id": True},
        {"provider": True, "state": "open"},
        {"player": True, "state": "rejected"},
    ],
)
def test_pages_of_one_bet_together_are_the_whole_list(
    operator: Operator, played: Played, wanted: dict[str, Any]
) -> None:
    values: dict[str, Any] = {
        "player": played.name,
        "round_id": played.round,
        "session_id": played.second.session_id,
        "provider": played.provider,
    }
    search = BetFilter(**{name: values[name] if v is True else v for name, v in wanted.items()})

    def page(rows: int, begin: Any = None) -> BetPage:
        return find_bets(operator.database_url, search, rows, begin)

    whole = page(1000)
    assert whole.next is None
    assert whole.items
    found, begin = list(page(1).items), page(1).next
    while begin is not None:
        more = page(1, begin)
        assert len(more.items) == 1
        found += more.items
        begin = more.next
    assert tuple(found) == whole.items


def test_a_search_that_no_index_can_do_says_what_to_name(operator: Operator) -> None:
    for wanted in (
        BetFilter(),
        BetFilter(bet_id="b"),
        BetFilter(state="open"),
        BetFilter(provider=operator.provider, state="settled"),
        BetFilter(player="x" * 200),
        BetFilter(state="gone"),
    ):
        with pytest.raises(InvalidRequest):
            find_bets(operator.database_url, wanted, 1)
    assert "Name what to search by" in operator.refusal("bet", "list")


def test_the_life_of_a_bet_tells_what_happened_in_order_and_what_vouches_for_it(
    world: World, operator: Operator, played: Played
) -> None:
    (life,) = operator.documents("bet", "life", "settled", "--provider", played.provider)

    assert (life["player"], life["state"]) == (played.name, "settled")
    assert [event["event"] for event in life["events"]] == ["session_opened", "stake", "win"]
    win = life["events"][-1]["facts"]
    assert win["transferId"] == played.paid.body["winTransactionId"]
    assert (win["amount"], win["balanceAfter"]) == (Decimal("3.5"), Decimal("100.5"))
    assert len(life["journal"]) == 2
    for row in life["journal"]:
        vouched = "select created_at from journal where strand = %s and number = %s"
        assert len(world.rows(vouched, row["strand"], row["number"])) == 1
    (life,) = operator.documents("bet", "life", "rejected", "--provider", played.provider)
    assert [event["event"] for event in life["events"]] == ["session_opened", "refused"]
    assert life["events"][-1]["facts"]["code"] == 4
    assert len(life["journal"]) == 1
    shown = operator.run("bet", "life", "settled", "--provider", played.provider)
    assert "balanceAfter=100.5" in shown.stdout


def test_open_bets_are_counted_by_age_in_json_and_csv_alike(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client)
    for bet_id, age in {"a": "0 s", "b": "20 min", "c": "25 min", "d": "30 d"}.items():
        player.call("pay-in", bet_id, betAmount="1.5")
        world.execute(
            "update bet set created_at = created_at - cast(%s as interval)"
            " where account_id = %s and bet_id = %s",
            *(age, player.account_id, bet_id),
        )

    command = ("report", "open-bets", "--provider", operator.provider)
    (document,) = operator.documents(*command)
    lines = operator.run(*command, "--csv").stdout.splitlines()

    shown = [(row["age"], row["bets"], row["stakes"]) for row in document["ages"]]
    assert shown == [
        ("under 1 minute", 1, Decimal("1.5")),
        ("15 minutes", 2, 3),
        ("7 days", 1, Decimal("1.5")),
    ]
    assert lines[0] == "provider,name,currency,age,bets,stakes,oldestAt"
    assert [line.split(",")[3:6] for line in lines[1:]] == [
        [age, str(bets), str(stakes)] for age, bets, stakes in shown
    ]
