"""`betcore ledger verify`: silent about what is allowed, one sentence per error."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Event

import psycopg
import pytest
from typer.testing import CliRunner

from models.audit.verify import Report
from models.commands import Command, Deposit, PayInOut
from models.ledger.ledger import Ledger, LedgerConnection
from ops.cli import app
from settings import settings
from tests.service.support import keys
from tests.service.support.ledger_copy import ANN, LedgerCopy

BET = 'Bet row 4 ("b4", settled by pay_in_out)'
OF_ONE = " of provider row 1."


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run outside the folder of `make run`, which may have a journal key of its own."""
    monkeypatch.chdir(tmp_path)


def test_a_whole_ledger_is_ok(ledger_copy: LedgerCopy) -> None:
    assert ledger_copy.verified() == Report(transfers=5, accounts=3, problems=(), more=0)


@pytest.mark.parametrize(
    ("damage", "problems"),
    [
        (
            "delete from transfer where id = 2",
            ["Account 4: transfer 3 has number 3, but the one before it has number 1."],
        ),
        (
            "update transfer set account_seq = account_seq + 10 where account = 4",
            [
                "Account 4: transfer 1 has number 11, but the one before it has number 0.",
                "Account 4 counts 5 transfers, but the last that it has is number 15.",
            ],
        ),
        (
            "update transfer set balance_after = 149 where id = 2",
            [
                "Account 4: transfer 2 (number 2) leaves 149, but 100 + 50 gives 150.",
                "Account 4: transfer 3 (number 3) leaves 175, but 149 + 25 gives 174.",
            ],
        ),
        (
            "update account set balance = 1 where id = 4",
            ["Account 4 holds 1, but its transfers leave 220.25."],
        ),
        (
            "update account set last_seq = 9 where id = 4",
            ["Account 4 counts 9 transfers, but the last that it has is number 5."],
        ),
        (
            "update account set balance = 5 where id = 5",
            ["Account 5 holds 5, but its transfers leave 0."],
        ),
        (
            "update account set balance = 1 where id = 2",
            ["Account 2 is a house account, but holds a balance or counts transfers."],
        ),
    ],
)
def test_a_chain_that_is_not_whole_is_named(
    ledger_copy: LedgerCopy, damage: str, problems: list[str]
) -> None:
    ledger_copy.damage(damage)

    assert list(ledger_copy.verified().problems) == problems


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (
            "update transfer set credit_account = 7 where id = 5",
            "Transfer 5 moves EUR of account 4 to JPY of account 7.",
        ),
        (
            "update transfer set credit_account = 3 where id = 5",
            "Transfer 5 is a stake against account 3, which is not the house account" + OF_ONE,
        ),
        (
            "update transfer set debit_account = 1 where id = 6",
            "Transfer 6 is a win against account 1, which is not the house account" + OF_ONE,
        ),
        (
            "update transfer set debit_account = 2 where id = 1",
            "Transfer 1 is a deposit from account 2, which is not the cash account of EUR.",
        ),
        (
            "update bet set account_id = 5",
            "Transfer 5 belongs to account 4, but its bet row 4 to account 5.",
        ),
        ("delete from bet", "Transfer 5 is of bet row 4, which does not exist."),
        (
            "delete from account where id = 4",
            "Transfer 1 belongs to account 4, which does not exist.",
        ),
        (
            "delete from account where id = 4",
            f"{BET} is of account 4, which does not exist.",
        ),
        (
            "delete from account where id = 2",
            "Transfer 5 credits account 2, which does not exist.",
        ),
        ("delete from account where id = 1", "Transfer 1 debits account 1, which does not exist."),
        (
            "update transfer set account = 2, account_seq = 1 where id = 5",
            "Transfer 5 belongs to account 2, which is not a player's.",
        ),
        (
            "update transfer set debit_account = 4, credit_account = 1 where id = 1",
            "Transfer 1 is a deposit in the wrong direction.",
        ),
        (
            "update transfer set credit_account = 2 where id = 1",
            "Transfer 1 does not move the money of its account 4.",
        ),
        (
            "update transfer set reference = null where id = 1",
            "Transfer 1 is a deposit without a reference.",
        ),
        (
            "update transfer set bet = null where id = 5",
            "Transfer 5 is a stake without a bet.",
        ),
        (
            "update transfer set amount = -50 where id = 2",
            "Transfer 2 moves -50 and leaves 150: neither may be negative.",
        ),
        (
            "update currency set decimals = 1 where code = 'EUR'",
            "Transfer 6 moves 55.25 EUR, a currency with 1 decimals.",
        ),
        (
            "update currency set decimals = 1 where code = 'EUR'",
            f"{BET} has the stake 10 and the win 55.25 in a currency with 1 decimals.",
        ),
    ],
)
def test_a_transfer_that_does_not_fit_is_named(
    ledger_copy: LedgerCopy, damage: str, problem: str
) -> None:
    ledger_copy.damage(damage)

    assert problem in ledger_copy.verified().problems


def test_only_so_many_problems_are_listed_and_the_others_counted(ledger_copy: LedgerCopy) -> None:
    ledger_copy.damage(
        "insert into player (id, external_id, status)"
        " select n, n::text, 'active' from generate_series(100, 1599) n",
        "insert into account (id, kind, player_id, currency, balance)"
        " select n, 'player', n, 'EUR', 1 from generate_series(100, 1599) n",
    )

    report = ledger_copy.verified(problems_max=7)

    assert (len(report.problems), report.more, report.ok) == (7, 1493, False)


def test_bets_may_go_on_while_the_ledger_is_verified(ledger_copy: LedgerCopy) -> None:
    enough = Event()

    def play() -> int:
        connection = LedgerConnection(ledger_copy.url, wait_seconds=8, connect_seconds=2)
        ledger, rounds = Ledger(connection, keys.JOURNAL.current), 0
        while not enough.is_set():
            commands: list[Command] = [Deposit(ANN, uuid.uuid4().hex, Decimal(1))]
            commands += [
                PayInOut(1, "session-1", ANN, uuid.uuid4().hex, None, Decimal(1), Decimal(2), None)
                for _ in range(5)
            ]
            assert {o and o.code for o in ledger.apply(commands, lambda _: True, 5)} == {1}
            rounds += 1
        connection.close()
        return rounds

    with ThreadPoolExecutor(1) as pool:
        played = pool.submit(play)
        try:
            reports = [ledger_copy.verified()]
            while reports[-1].transfers < reports[0].transfers + 200 and not played.done():
                reports.append(ledger_copy.verified())
        finally:
            enough.set()

    assert played.result() * 11 + 5 == ledger_copy.verified().transfers
    assert [problem for report in reports for problem in report.problems] == []


def test_the_verification_waits_for_nobody(ledger_copy: LedgerCopy) -> None:
    with psycopg.connect(ledger_copy.url) as busy:
        busy.execute("select from account for update")
        busy.execute("select from bet for update")

        assert ledger_copy.verified().ok


def test_a_ledger_that_is_not_ok_exits_with_1(ledger_copy: LedgerCopy) -> None:
    ledger_copy.damage("update account set balance = 5 where id = 5")
    runner = CliRunner(env={"DATABASE_URL": ledger_copy.url, "REDIS_URL": "redis://127.0.0.1:1/0"})
    settings.cache_clear()
    try:
        as_json = runner.invoke(app, ["ledger", "verify", "--without-journal", "--json"])
        for_people = runner.invoke(app, ["ledger", "verify", "--without-journal"])
    finally:
        settings.cache_clear()

    problem = "Account 5 holds 5, but its transfers leave 0."
    assert as_json.exit_code == for_people.exit_code == 1
    assert json.loads(as_json.stdout) == {
        "ok": False,
        "transfers": 5,
        "accounts": 3,
        "journal": {"verified": False, "asked": False},
        "auditLog": {"verified": False, "asked": False},
        "problems": [problem],
        "more": 0,
    }
    assert f"  {problem}" in for_people.stdout
