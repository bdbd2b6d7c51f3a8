"""Look-ups of operators: providers, players, sessions, statements, the house's result."""

import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.service.support.operator_cli import Operator, operator_on
from tests.service.support.processes import until
from tests.service.support.world import PlayerSession, World


@pytest.fixture(scope="module")
def operator(world: World) -> Operator:
    return Operator(world, world.provider().counterparty_id)


@pytest.fixture
def name() -> str:
    return f"player {uuid.uuid4().hex}"


@pytest.fixture
def played(world: World, name: str) -> PlayerSession:
    """100 deposited; 10 staked and 25 won; 7 staked and given back; 3 of a settled bet undone."""
    player = world.open_session(world.provider(), "100", player=name)
    assert player.pay_in_out(10, 25).code == 1
    assert player.call("pay-in", "given back", betAmount=7).code == 1
    assert player.call("refund", "given back").code == 1
    assert player.pay_in_out(3, 2, betId="undone").code == 1
    assert player.call("refund", "undone").code == 1
    assert player.pay_in_out(10**6, betId="refused").code == 4
    return player


def test_a_provider_is_listed_and_shown_with_its_secrets_and_accounts(
    world: World, operator: Operator
) -> None:
    player = world.open_session(world.provider())
    name = player.client.counterparty_id
    (added,) = operator.documents("provider", "secret", "add", name)
    operator.documents("provider", "secret", "revoke", name, "--secret-id", added["secretId"])

    (listed,) = operator.documents("provider", "list")
    (shown,) = operator.documents("provider", "show", name)

    (row,) = [one for one in listed["providers"] if one["counterpartyId"] == name]
    assert (row["status"], row["activeSecrets"]) == ("active", 1)
    assert shown.items() >= row.items()
    assert [secret["revokedAt"] is None for secret in shown["secrets"]] == [True, False]
    assert [account["currency"] for account in shown["accounts"]] == ["EUR"]
    assert player.client.secret not in json.dumps(shown, default=str)
    assert operator.refusal("provider", "show", "nobody") == "There is no provider 'nobody'."


def test_a_player_is_shown_with_every_balance(world: World, operator: Operator, name: str) -> None:
    euro = world.open_session(world.provider(), "12.5", player=name)
    yen = world.open_session(world.provider(), "300", player=name, currency="JPY")
    operator.documents("player", "block", name)

    (shown,) = operator.documents("player", "show", name)
    (blocked,) = operator.documents("player", "list", "--status", "blocked")

    assert (shown["player"], shown["status"]) == (name, "blocked")
    assert shown["accounts"] == [
        {"accountId": str(euro.account_id), "currency": "EUR", "balance": Decimal("12.5")},
        {"accountId": str(yen.account_id), "currency": "JPY", "balance": 300},
    ]
    assert name in [one["player"] for one in blocked["players"]]
    assert operator.refusal("player", "show", "nobody") == "There is no player 'nobody'."


def test_players_are_listed_across_pages_in_the_order_in_which_they_came(
    operator: Operator, name: str
) -> None:
    operator.documents(*operator.open(name, "--count", "1001"))

    (listed,) = operator.documents("player", "list")

    mine = [one["player"] for one in listed["players"] if one["player"].startswith(name)]
    assert sorted(mine) == sorted(f"{name}-{k}" for k in range(1, 1002))
    (two,) = operator.documents("player", "list", "--limit", "2")
    assert two["players"] == listed["players"][:2]


def test_a_session_says_whether_it_takes_bets_and_until_when(
    world: World, operator: Operator, name: str
) -> None:
    (open_,) = operator.documents(*operator.open(name, "--max-bet", "5", "--ttl-minutes", "60"))
    (closed,) = operator.documents(*operator.open(name))
    operator.documents("session", "close", closed["sessionId"])
    (expired,) = operator.documents(*operator.open(name))
    world.expire_session(expired["sessionId"])

    (shown,) = operator.documents("session", "show", open_["sessionId"])
    (listed,) = operator.documents("session", "list", "--player", name)
    (only,) = operator.documents("session", "list", "--player", name, "--open")

    assert (shown["player"], shown["currency"], shown["maxBet"]) == (name, "EUR", 5)
    assert shown["expiresAt"] == open_["expiresAt"]
    assert timedelta(0) < moment(shown["expiresAt"]) - datetime.now(UTC) < timedelta(hours=2)
    states = {one["sessionId"]: one["state"] for one in listed["sessions"]}
    assert list(states.values()) == ["expired", "closed", "open"]
    assert only["sessions"] == [shown]
    assert operator.refusal("session", "show", "nowhere") == "There is no session 'nowhere'."
    assert "no player" in operator.refusal("session", "list", "--player", "nobody")
    assert "no provider" in operator.refusal("session", "list", "--provider", "nobody")


def test_a_statement_is_found_by_player_and_currency(
    operator: Operator, played: PlayerSession, name: str
) -> None:
    (by_id,) = operator.documents("account", "statement", str(played.account_id))
    (by_player,) = operator.documents("account", "statement", "--player", name, "--currency", "EUR")

    assert by_player == by_id
    assert (by_id["owner"], by_id["openingBalance"], by_id["balance"]) == (name, 0, 115)
    refusal = operator.refusal("account", "statement", "--player", name, "--currency", "JPY")
    assert refusal == f"The player {name!r} has no account in 'JPY'."


def test_statements_of_periods_join_without_a_gap(
    operator: Operator, played: PlayerSession
) -> None:
    account = str(played.account_id)
    (whole,) = operator.documents("account", "statement", account)
    cut = whole["transfers"][4]["createdAt"]

    (before,) = operator.documents("account", "statement", account, "--until", cut)
    (after,) = operator.documents("account", "statement", account, "--since", cut)
    (nothing,) = operator.documents("account", "statement", account, "--since", "2100-01-01")
    (earlier,) = operator.documents("account", "statement", account, "--until", "2000-01-01")

    assert before["transfers"] + after["transfers"] == whole["transfers"]
    assert before["balance"] == after["openingBalance"]
    assert before["transfers"][-1]["balanceAfter"] == before["balance"]
    assert (before["openingBalance"], after["balance"]) == (0, 115)
    assert (nothing["openingBalance"], nothing["balance"], nothing["transfers"]) == (115, 115, [])
    assert (earlier["openingBalance"], earlier["balance"], earlier["transfers"]) == (0, 0, [])


def test_house_and_cash_accounts_have_statements_that_mirror_the_players(
    operator: Operator, played: PlayerSession
) -> None:
    name = played.client.counterparty_id
    (house,) = operator.documents("account", "statement", "--house", name, "--currency", "EUR")
    (cash,) = operator.documents(
        "account", "statement", "--cash", "--currency", "EUR", "--limit", "3"
    )
    (newest,) = operator.documents(
        *("account", "statement", "--house", name, "--currency", "EUR", "--limit", "2")
    )

    assert (house["kind"], house["owner"], house["balance"]) == ("house", name, -15)
    amounts = [line["amount"] for line in house["transfers"]]
    assert (amounts[:2], sum(amounts)) == ([10, -25], -15)
    assert [line["balanceAfter"] for line in house["transfers"]][:3] == [10, -15, -8]
    assert newest["transfers"] == house["transfers"][-2:]
    assert newest["openingBalance"] == house["transfers"][-3]["balanceAfter"]
    assert (cash["kind"], cash["owner"], len(cash["transfers"])) == ("cash", None, 3)
    moved = sum(line["amount"] for line in cash["transfers"])
    assert cash["openingBalance"] + moved == cash["balance"]
    refusal = operator.refusal("account", "statement", "--house", name, "--currency", "JPY")
    assert refusal == f"The provider {name!r} has no house account in 'JPY'."


def test_the_houses_result_counts_each_transfer_on_its_day(
    operator: Operator, played: PlayerSession
) -> None:
    name = played.client.counterparty_id

    (report,) = operator.documents("report", "house", "--provider", name)

    assert sum(day["bets"] for day in report["days"]) == 3
    sums = {
        column: sum(day[column] for day in report["days"])
        for column in ("stakes", "refunds", "wins", "winReversals", "result")
    }
    assert sums == {"stakes": 20, "refunds": 10, "wins": 27, "winReversals": 2, "result": -15}
    assert {day["currency"] for day in report["days"]} == {"EUR"}
    for period in (("--until", "2000-01-01"), ("--since", "2100-01-01"), ("--currency", "JPY")):
        assert operator.documents("report", "house", "--provider", name, *period) == [{"days": []}]
    assert operator.refusal("report", "house", "--provider", "nobody").startswith("There is no")


def test_the_houses_result_tells_games_apart(world: World, operator: Operator, name: str) -> None:
    client = world.provider()
    of = ("--provider", client.counterparty_id)
    for stake, game in ((1, ("--game", "book")), (2, ("--game", "=reel")), (4, ()), (8, ())):
        arguments = ("--player", name, "--currency", "EUR", *game)
        deposit = () if stake > 1 else ("--deposit", "100")
        (opened,) = operator.documents("session", "open", *of, *arguments, *deposit)
        bet = {"betId": uuid.uuid4().hex, "betAmount": stake, "winAmount": 0}
        assert client.pay_in_out(opened["sessionId"], **bet).code == 1

    (report,) = operator.documents("report", "house", *of)

    assert [(day["game"], day["bets"], day["stakes"]) for day in report["days"]] == [
        (None, 2, 12),
        ("=reel", 1, 2),
        ("book", 1, 1),
    ]
    (book,) = operator.documents("report", "house", *of, "--game", "book")
    assert [day["result"] for day in book["days"]] == [1]
    rows = list(csv.DictReader(io.StringIO(operator.run("report", "house", *of, "--csv").stdout)))
    assert [row["game"] for row in rows] == ["", "'=reel", "book"]


def test_csv_is_safe_against_formulas_and_its_numbers_stay_numbers(
    world: World, operator: Operator
) -> None:
    evil = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", " =1+1", "\uff1d1"]
    player = world.open_session(world.provider(), player=f"={uuid.uuid4().hex}")
    for bet_id in evil:
        assert player.call("pay-in", bet_id, betAmount="1.5").code == 1

    done = operator.run("account", "statement", str(player.account_id), "--csv")

    titles, _, *rows = csv.reader(io.StringIO(done.stdout))
    assert [row[titles.index("betId")] for row in rows] == [f"'{bet_id}" for bet_id in evil]
    assert {row[titles.index("amount")] for row in rows} == {"-1.5"}


def test_csv_without_rows_has_its_titles(operator: Operator) -> None:
    for command in (("report", "house"), ("account", "statement", "--cash", "--currency", "EUR")):
        done = operator.run(*command, "--until", "2000-01-01", "--csv")
        assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["1", "--currency", "EUR"],
        ["1", "--cash"],
        ["--player", "x"],
        ["--player", "x", "--cash", "--currency", "EUR"],
        ["1", "--csv", "--json"],
        ["1", "--since", "2026-02-01", "--until", "2026-01-01"],
        ["1", "--since", "soon"],
    ],
)
def test_a_statement_of_no_account_or_of_two_is_a_usage_error(
    operator: Operator, arguments: list[str]
) -> None:
    assert operator.run("account", "statement", *arguments).exit_code == 2


def test_people_get_tables(operator: Operator, played: PlayerSession, name: str) -> None:
    until(lambda: played.client.status("undone").body["state"] == "refunded")
    shown = {
        ("provider", "list"): "counterpartyId",
        ("provider", "show", played.client.counterparty_id): "secretId",
        ("player", "show", name): "accountId",
        ("session", "show", played.session_id): "expiresAt",
        ("session", "list", "--player", name): "sessionId",
        ("report", "house"): "result",
    }
    for command, title in shown.items():
        done = operator.run(*command)
        assert done.exit_code == 0
        assert title in done.stdout


def test_a_new_ledger_has_nothing_to_show(own_world: World) -> None:
    with operator_on(own_world) as operator:
        assert operator.documents("player", "list") == [{"players": []}]
        assert operator.documents("session", "list") == [{"sessions": []}]
        assert operator.documents("report", "house") == [{"days": []}]
        assert "never used" in operator.refusal(
            "account", "statement", "--cash", "--currency", "EUR"
        )


def moment(text: str) -> datetime:
    """A time of a document."""
    return datetime.fromisoformat(text)
