"""`betcore bet list`: the bets whose pay-out never came."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from models import play_money
from models.commands import PayIn
from models.database.transactions import transaction
from models.reports import open_bets
from models.reports.open_bets import list_open_bets
from tests.service.support.client import ProviderClient
from tests.service.support.operator_cli import Operator
from tests.service.support.world import PlayerSession, World


def test_only_open_bets_of_the_provider_are_listed(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    name = uuid.uuid4().hex
    player = world.open_session(client, "100", player=name)
    player.call("pay-in", "open", betAmount="2.50", gameRoundId="round")
    for bet_id in ("paid", "undone"):
        player.call("pay-in", bet_id, betAmount=1)
    player.call("pay-out", "paid", winAmount=0)
    player.call("refund", "undone")
    player.call("refund", "never seen")
    player.call("pay-in", "rejected", betAmount=1000)
    player.pay_in_out(1)
    world.open_session(world.provider()).call("pay-in", "another provider's", betAmount=1)

    (shown,) = operator.documents("bet", "list", "--provider", operator.provider, "--state", "open")

    (bet,) = shown.pop("bets")
    assert shown == {"provider": operator.provider, "state": "open"}
    assert bet.pop("createdAt").endswith("Z")
    assert bet == {
        "betId": "open",
        "gameRoundId": "round",
        "betAmount": Decimal("2.5"),
        "currency": "EUR",
        "player": name,
        "accountId": str(player.account_id),
        "sessionId": player.session_id,
    }


def test_the_oldest_come_first_and_younger_ones_not_at_all(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client)
    for bet_id, age in {"new": "0s", "day": "25 h", "week": "8 d", "hour": "61 min"}.items():
        player.call("pay-in", bet_id, betAmount=1)
        world.execute(
            "update bet set created_at = created_at - cast(%s as interval)"
            " where account_id = %s and bet_id = %s",
            age,
            player.account_id,
            bet_id,
        )

    assert listed(operator) == ["week", "day", "hour", "new"]
    assert listed(operator, "--older-than", "0s") == ["week", "day", "hour", "new"]
    assert listed(operator, "--older-than", "1h") == ["week", "day", "hour"]
    assert listed(operator, "--older-than", "24h") == ["week", "day"]
    assert listed(operator, "--older-than", "7d", "--limit", "5") == ["week"]
    assert listed(operator, "--older-than", "36500d") == []
    assert listed(operator, "--limit", "2") == ["week", "day"]


def test_many_open_bets_of_one_moment_are_listed_each_once(
    world: World, client: ProviderClient, operator: Operator
) -> None:
    player = world.open_session(client, "2100")
    open_many(world, player, 2100)

    found = listed(operator)

    assert sorted(found) == sorted(f"bet {number}" for number in range(2100))
    assert listed(operator, "--limit", "1500") == found[:1500]


def test_a_bet_that_is_paid_while_the_list_is_read_is_listed_no_more(
    world: World, client: ProviderClient
) -> None:
    player = world.open_session(client, "2000")
    open_many(world, player, 1001)
    url = world.urls.database
    ids = [bet.bet_id for bet in list_open_bets(url, client.counterparty_id, timedelta(0))]
    bets = iter(list_open_bets(url, client.counterparty_id, timedelta(0)))
    next(bets)

    assert player.call("pay-out", ids[-1], winAmount=0).code == 1
    assert player.call("pay-in", "opened later", betAmount=1).code == 1

    assert [bet.bet_id for bet in bets] == ids[1:-1]


def test_the_list_is_read_in_the_order_of_its_index(world: World) -> None:
    values = {"provider": 1, "until": "now", "after": "-infinity", "after_id": 0, "rows": 10}
    values["play"] = play_money.PATTERN
    with transaction(world.urls.database) as database:
        database.execute(text("set local enable_seqscan = off"))
        explained = database.execute(text(f"explain (costs off) {open_bets.PAGE}"), values)
        plan = "\n".join(explained.scalars())

    assert "Index Scan using bet_open on bet" in plan
    assert "Filter" not in plan.partition("bet_open")[2].partition("->")[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--older-than", "1w"], "'1w' is not a duration"),
        (["--state", "settled"], "'settled'"),
        (["--limit", "0"], "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_listed_is_a_mistake_in_usage(
    operator: Operator, arguments: list[str], says: str
) -> None:
    done = operator.run("bet", "list", "--provider", operator.provider, *arguments)

    assert done.exit_code == 2
    assert done.stdout == ""
    assert says in done.stderr


def test_a_provider_that_does_not_exist_has_no_list(operator: Operator) -> None:
    refusal = operator.refusal("bet", "list", "--provider", "nobody")

    assert refusal == "There is no provider 'nobody'."


def test_people_get_aligned_text(world: World, client: ProviderClient, operator: Operator) -> None:
    empty = operator.run("bet", "list", "--provider", operator.provider)
    world.open_session(client).call("pay-in", "the bet", betAmount="2.50")
    one = operator.run("bet", "list", "--provider", operator.provider)

    fields = f"provider  {operator.provider}\nstate     open\n\n"
    assert empty.stdout == f"{fields}bets: none\n"
    titles, row = one.stdout.removeprefix(fields).splitlines()
    assert titles.index("betAmount") + len("betAmount") == row.index("2.5") + len("2.5")
    assert titles.index("betId") == row.index("the bet")


def open_many(world: World, player: PlayerSession, count: int) -> None:
    """Take so many stakes of 1, many of them at the same moment."""
    provider = world.provider_row(player.client)
    for start in range(0, count, 300):
        commands = [
            PayIn(provider, player.session_id, player.account_id, f"bet {number}", stake=Decimal(1))
            for number in range(start, min(start + 300, count))
        ]
        outcomes = world.ledger.apply(commands, lambda _: True, 60)
        assert {outcome and outcome.code for outcome in outcomes} == {1}


def listed(operator: Operator, *arguments: str) -> list[str]:
    """The ids of the listed bets."""
    (shown,) = operator.documents("bet", "list", "--provider", operator.provider, *arguments)
    return [bet["betId"] for bet in shown["bets"]]
