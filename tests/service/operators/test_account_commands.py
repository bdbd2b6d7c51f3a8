"""`betcore account statement`: every transfer of a player's money, to the last one."""

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import QueuePool

from models.commands import Deposit
from models.database.engine import engine
from models.reports.statement import read_statement
from tests.service.support.operator_cli import Operator
from tests.service.support.world import PlayerSession, World


@pytest.fixture(scope="module")
def long_account(world: World) -> int:
    """An account with 2,345 deposits of 0.01, which is more than two pages."""
    account_id = world.open_session(world.provider(), "0").account_id
    deposit(world, account_id, 2345)
    return account_id


def test_a_statement_has_every_transfer_with_its_running_balance(
    world: World, operator: Operator
) -> None:
    player = world.open_session(world.provider(), "100.50")
    player.call("pay-in", "one", betAmount="10.25")
    player.call("pay-out", "one", winAmount=30)
    player.call("refund", "one")
    player.call("refund", "never seen")
    (name,) = world.rows(
        "select external_id from account a join player p on p.id = player_id where a.id = %s",
        player.account_id,
    )[0]
    withdraw = ("withdraw", name, "--currency", "EUR", "--amount", "100.5")
    (gone,) = operator.documents("player", *withdraw, "--reference", f"of {name}")

    (shown,) = operator.documents("account", "statement", str(player.account_id))

    transfers = shown.pop("transfers")
    assert shown == {
        "accountId": str(player.account_id),
        "kind": "player",
        "owner": name,
        "currency": "EUR",
        "openingBalance": 0,
        "balance": 0,
    }
    assert [[one[name] for name in ("kind", "amount", "balanceAfter")] for one in transfers] == [
        ["deposit", Decimal("100.5"), Decimal("100.5")],
        ["stake", Decimal("-10.25"), Decimal("90.25")],
        ["win", 30, Decimal("120.25")],
        ["refund", Decimal("10.25"), Decimal("130.5")],
        ["win_reversal", -30, Decimal("100.5")],
        ["refund", 0, Decimal("100.5")],
        ["withdrawal", Decimal("-100.5"), 0],
    ]
    bets = [None, "one", "one", "one", "one", "never seen", None]
    assert [one["betId"] for one in transfers] == bets
    assert [one["provider"] for one in transfers] == [bet and provider_of(player) for bet in bets]
    assert transfers[-1]["reference"] == f"of {name}"
    assert transfers[-1]["transferId"] == gone["transferId"]
    assert [one["createdAt"] for one in transfers] == sorted(one["createdAt"] for one in transfers)


def test_amounts_are_exact_to_the_eighteenth_decimal(world: World, operator: Operator) -> None:
    player = world.open_session(
        world.provider(), "999999999999999", currency=world.currency("ATTO", 18)
    )
    player.call("pay-in", "tiny", betAmount="1e-18")

    done = operator.run("account", "statement", str(player.account_id), "--json")

    assert '"balance": 999999999999998.999999999999999999,' in done.stdout
    assert '"amount": -0.000000000000000001, ' in done.stdout


def test_a_long_statement_is_whole_and_in_order(operator: Operator, long_account: int) -> None:
    done = operator.run("account", "statement", str(long_account), "--json")

    assert done.stdout.count("\n") == 1
    document = json.loads(done.stdout, parse_float=Decimal)
    assert document["balance"] == Decimal("23.45")
    assert balances(document) == [Decimal(number) / 100 for number in range(1, 2346)]


@pytest.mark.parametrize("limit", [1, 7, 1000, 2344, 2345, 10**9])
def test_a_limit_leaves_the_newest_in_order(
    operator: Operator, long_account: int, limit: int
) -> None:
    (shown,) = operator.documents("account", "statement", str(long_account), "--limit", str(limit))

    first = max(1, 2345 - limit + 1)
    assert balances(shown) == [Decimal(number) / 100 for number in range(first, 2346)]


def test_a_statement_is_of_one_moment_and_no_transaction_is_open_while_it_is_read(
    world: World,
) -> None:
    account_id = world.open_session(world.provider(), "0").account_id
    deposit(world, account_id, 1001)
    statement = read_statement(world.urls.database, account_id)
    next(statement.lines)

    pool = engine(world.urls.database).pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedout() == 0
    deposit(world, account_id, 1)

    assert [line.balance_after for line in statement.lines][-1] == statement.closing_balance


def test_an_account_without_transfers_has_an_empty_statement(
    world: World, operator: Operator
) -> None:
    player = world.open_session(world.provider(), "0")

    (shown,) = operator.documents("account", "statement", str(player.account_id))
    done = operator.run("account", "statement", str(player.account_id))

    assert (shown["balance"], shown["transfers"]) == (0, [])
    *_, balance, _, transfers = done.stdout.splitlines()
    assert (balance.split(), transfers) == (["balance", "0"], "transfers: none")


def test_an_account_that_does_not_exist_has_no_statement(operator: Operator) -> None:
    for absent in (2**62, 10**30):
        refusal = operator.refusal("account", "statement", str(absent))
        assert refusal == f"There is no account {absent}."


def test_people_get_a_table_however_long_it_is(operator: Operator, long_account: int) -> None:
    done = operator.run("account", "statement", str(long_account))

    head, _, lines = done.stdout.partition("\n\n")
    assert [line.split()[0] for line in head.splitlines()] == [
        *("accountId", "kind", "owner", "currency", "openingBalance", "balance")
    ]
    titles, *rows = lines.splitlines()
    assert titles.split()[:4] == ["createdAt", "kind", "amount", "balanceAfter"]
    assert len(rows) >= 2345
    assert len({row.index(" 0.01 ") for row in rows}) == 1
    assert rows[0].split()[1:6] == ["deposit", "0.01", "0.01", "-", "long"]


def deposit(world: World, account_id: int, count: int) -> None:
    """Make so many deposits of 0.01 each."""
    for start in range(0, count, 300):
        commands = [
            Deposit(account_id, f"long {uuid.uuid4().hex}", Decimal("0.01"))
            for _ in range(min(300, count - start))
        ]
        assert all(world.ledger.apply(commands, lambda _: True, 60))


def balances(document: dict[str, Any]) -> list[Decimal]:
    """The running balances of a statement."""
    return [transfer["balanceAfter"] for transfer in document["transfers"]]


def provider_of(player: PlayerSession) -> str:
    """The counterparty id of a player's provider."""
    return player.client.counterparty_id
