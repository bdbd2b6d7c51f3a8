"""Demo: played with play money, in accounts of its own that no report of real money has."""

import uuid
from decimal import Decimal
from typing import Any

import pytest

from models.audit.reconcile import ListedBet, Scope, reconcile
from tests.service.operators.test_games_commands import trial  # noqa: F401
from tests.service.portal.caller import Caller, fresh, problem
from tests.service.support.client import ProviderClient
from tests.service.support.fake_provider import fake_provider
from tests.service.support.operator_cli import Operator
from tests.service.support.world import World


@pytest.fixture
def client(world: World) -> ProviderClient:
    return world.provider()


@pytest.fixture
def asked(client: ProviderClient) -> dict[str, Any]:
    """The body of a request for a demo of a new player."""
    player = {"player": fresh(), "currency": "EUR", "mode": "demo"}
    return player | {"providerId": client.counterparty_id}


def test_a_demo_is_played_with_play_money_and_no_report_of_real_money_has_it(
    api: Caller, world: World, client: ProviderClient, asked: dict[str, Any]
) -> None:
    real = api.done(api.post("/sessions", **asked | {"mode": "real"}), 201)
    demo = api.done(api.post("/sessions", **asked, minBet="0.5", game="crash"), 201)

    assert (demo["balance"], real["balance"]) == ("1000", "0")
    assert demo["accountId"] != real["accountId"]
    # On the wire, nothing differs from real money.
    answer = client.balance(demo["sessionId"])
    assert (answer.body["currency"], answer.body["balance"]) == ("EUR", 1000)
    bets = [uuid.uuid4().hex for _ in range(3)]
    claims = {"currency": "EUR", "userId": asked["player"]}
    session = demo["sessionId"]
    assert client.call(session, "pay-in", betId=bets[0], betAmount="100", **claims).code == 1
    assert client.call(session, "pay-out", betId=bets[0], winAmount="250", **claims).code == 1
    assert client.call(session, "pay-in", betId=bets[1], betAmount="1", **claims).code == 1
    assert client.call(session, "pay-in", betId=bets[2], betAmount="0.1", **claims).code == 5
    assert client.status(bets[0]).body["currency"] == "EUR"

    mine = {"providerId": client.counterparty_id}
    assert api.done(api.get("/reports/house", **mine))["items"] == []
    assert api.done(api.get("/reports/open-bets", **mine))["items"] == []
    assert api.done(api.get("/reports/open-bets/ages", **mine))["items"] == []
    (day,) = api.done(api.get("/reports/house", **mine, currency="demo:EUR"))["items"]
    assert (day["currency"], day["stakes"], day["wins"]) == ("demo:EUR", "101", "250")
    accounts = api.done(api.get(f"/players/{asked['player']}/accounts"))["items"]
    assert {one["currency"]: one["balance"] for one in accounts} == {"EUR": "0", "demo:EUR": "1149"}
    statement = f"/players/{asked['player']}/statement"
    assert api.done(api.get(statement, currency="EUR"))["items"] == []
    assert len(api.done(api.get(statement, currency="demo:EUR"))["items"]) == 4
    assert "demo:EUR" not in api.get("/currencies").text
    mine_here = [ListedBet(1, "real", Decimal(1))]
    scope = Scope(has_stake=True, has_win=False)
    with reconcile(world.operator_url, client.counterparty_id, mine_here, scope) as found:
        assert found.counts == {"missing_here": 1}
    verified = Operator(world, client.counterparty_id).run("ledger", "verify")
    assert verified.exit_code == 0, verified.stdout


def test_play_money_is_neither_deposited_nor_withdrawn_nor_played_for_real(
    api: Caller, asked: dict[str, Any]
) -> None:
    api.done(api.post("/sessions", **asked), 201)
    money = {"currency": "demo:EUR", "amount": "5"}
    player = f"/players/{asked['player']}"

    for way in ("deposits", "withdrawals"):
        refused = api.post(f"{player}/{way}", **money, reference=fresh())
        assert "play money" in problem(refused, 422, "invalid_request")["detail"]
    of_play = asked | {"currency": "demo:EUR"}
    for refused in (
        api.post("/sessions", **of_play | {"mode": "real"}),
        api.post("/sessions", **of_play),
        api.post(f"{player}/accounts", currency="demo:EUR"),
    ):
        problem(refused, 422, "unknown_currency")
    problem(api.post("/currencies", code="demo:GBP", decimals=2), 422, "invalid_request")
    limits = {"wins": [{"currency": "demo:EUR", "maxWin": "5"}]}
    refused = api.patch(f"/providers/{asked['providerId']}/limits", **limits)
    problem(refused, 422, "unknown_currency")


def test_each_demo_begins_with_at_least_the_play_money_of_the_setting(
    api: Caller, client: ProviderClient, asked: dict[str, Any]
) -> None:
    def played(stake: str, win: str) -> Any:
        opened = api.done(api.post("/sessions", **asked), 201)
        bet = {"betId": uuid.uuid4().hex, "betAmount": stake, "winAmount": win}
        assert client.pay_in_out(opened["sessionId"], **bet).code == 1
        return opened["balance"]

    assert [played("1000", "0"), played("10", "30"), played("1", "1")] == ["1000", "1000", "1020"]


def test_the_command_line_opens_a_demo_and_launches_it(
    world: World,
    client: ProviderClient,
    asked: dict[str, Any],
    trial: None,  # noqa: ARG001, F811
) -> None:
    operator = Operator(world, client.counterparty_id)
    opening = operator.open(asked["player"], "--mode", "demo", "--game", "crash")
    with fake_provider(client) as fake:
        operator.documents("provider", "set-url", operator.provider, fake.url)
        (opened,) = operator.documents(*opening)
        (without,) = operator.documents(*opening, "--no-launch")
        many = operator.run(*opening, "--count", "2")
        fake.launch = lambda _: (500, b"")
        assert "HTTP 500" in operator.refusal(*opening)

    assert (opened["balance"], opened["frameUri"]) == (1000, "https://play.example.com/")
    assert "frameUri" not in without
    assert many.exit_code == 2
    modes = [body["gameMode"] for _, body in fake.launches]
    assert modes == ["demo", "demo"]
    (failed,) = operator.documents("session", "show", fake.launches[-1][1]["sessionId"])
    assert (failed["state"], failed["mode"]) == ("closed", "demo")
    assert operator.run(*opening, "--deposit", "5").exit_code == 2
