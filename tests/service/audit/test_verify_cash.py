"""`betcore ledger verify` on withdrawals: silent about whole ones, one sentence per error."""

from collections.abc import Iterator

import pytest

from models.audit.verify import Report
from tests.service.support.ledger_copy import LedgerCopy, copied, whole_ledger


@pytest.fixture(scope="module")
def whole() -> Iterator[LedgerCopy]:
    """The whole ledger with a withdrawal, transfer 21, and a deposit after it."""
    with whole_ledger() as ledger_copy:
        ledger_copy.move(21, None, [("withdrawal", "20.25"), ("deposit", "1")])
        yield ledger_copy


@pytest.fixture
def ledger_copy(whole: LedgerCopy) -> Iterator[LedgerCopy]:
    with copied(whole) as copy:
        yield copy


def test_a_withdrawal_is_ok(ledger_copy: LedgerCopy) -> None:
    assert ledger_copy.verified() == Report(transfers=7, accounts=3, problems=(), more=0)


def test_a_withdrawal_of_all_there_is_is_ok(ledger_copy: LedgerCopy) -> None:
    ledger_copy.move(23, None, [("withdrawal", "201")])

    assert ledger_copy.verified() == Report(transfers=8, accounts=3, problems=(), more=0)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (
            "update transfer set credit_account = 2 where id = 21",
            "Transfer 21 is a withdrawal to account 2, which is not the cash account of EUR.",
        ),
        (
            "update transfer set credit_account = 5 where id = 21",
            "Transfer 21 is a withdrawal to account 5, which is not the cash account of EUR.",
        ),
        (
            "update transfer set credit_account = 6 where id = 21",
            "Transfer 21 moves EUR of account 4 to JPY of account 6.",
        ),
        (
            "update transfer set debit_account = 1, credit_account = 4 where id = 21",
            "Transfer 21 is a withdrawal in the wrong direction.",
        ),
        (
            "update transfer set debit_account = 5 where id = 21",
            "Transfer 21 does not move the money of its account 4.",
        ),
        (
            "update transfer set reference = null where id = 21",
            "Transfer 21 is a withdrawal without a reference.",
        ),
        (
            "update transfer set bet = 4 where id = 21",
            "Transfer 21 is a withdrawal with a bet.",
        ),
        (
            "update transfer set kind = 'deposit' where id = 21",
            "Transfer 21 is a deposit in the wrong direction.",
        ),
    ],
)
def test_a_withdrawal_that_does_not_fit_is_named(
    ledger_copy: LedgerCopy, damage: str, problem: str
) -> None:
    ledger_copy.damage(damage)

    assert problem in ledger_copy.verified().problems


@pytest.mark.parametrize(
    ("damage", "problems"),
    [
        (
            "update transfer set amount = 21 where id = 21",
            ["Account 4: transfer 21 (number 6) leaves 200, but 220.25 - 21 gives 199.25."],
        ),
        (
            "delete from transfer where id = 21",
            ["Account 4: transfer 22 has number 7, but the one before it has number 5."],
        ),
        (
            "update transfer set balance_after = 240.5 where id = 21",
            [
                "Account 4: transfer 21 (number 6) leaves 240.5, but 220.25 - 20.25 gives 200.",
                "Account 4: transfer 22 (number 7) leaves 201, but 240.5 + 1 gives 241.5.",
            ],
        ),
    ],
)
def test_a_chain_that_a_withdrawal_breaks_is_named(
    ledger_copy: LedgerCopy, damage: str, problems: list[str]
) -> None:
    ledger_copy.damage(damage)

    assert list(ledger_copy.verified().problems) == problems
