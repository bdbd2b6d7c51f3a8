"""Currencies: those of ISO 4217, and those that operators add and never change."""

from contextlib import ExitStack
from functools import partial

import pytest

from models.audit.log import operation
from models.database.transactions import transaction
from models.directory.currencies import add_currency, use_currency
from models.errors import AlreadyExists, InvalidRequest, UnknownCurrency
from tests.service.support.keys import AUTHOR
from tests.service.support.ledger_world import running, until_waiting
from tests.service.support.world import World

CASH = "select count(*) from account where kind = 'cash' and currency = %s"


@pytest.mark.parametrize(
    ("code", "decimals"), [("JPY", 0), ("GBP", 2), ("KWD", 3), ("CLF", 4), ("UYW", 4)]
)
def test_a_currency_of_iso_4217_has_its_decimals_and_one_cash_account(
    ledger_world: World, code: str, decimals: int
) -> None:
    for _ in range(2):
        with operation(ledger_world.urls.database, AUTHOR) as database:
            assert use_currency(database, code).decimals == decimals

    assert ledger_world.rows(CASH, code) == [(1,)]


@pytest.mark.parametrize("code", ["ABCDE", "eur", "", "XAU", "EUR "])
def test_a_currency_that_nobody_added_is_unknown_and_leaves_nothing(
    ledger_world: World, code: str
) -> None:
    with pytest.raises(UnknownCurrency), transaction(ledger_world.urls.database) as database:
        use_currency(database, code)

    assert ledger_world.rows(CASH, code) == [(0,)]


def test_operators_add_currencies_and_may_say_so_again(ledger_world: World) -> None:
    for _ in range(2):
        assert ledger_world.currency("USDT", 6) == "USDT"

    with transaction(ledger_world.urls.database) as database:
        assert use_currency(database, "USDT").decimals == 6
    assert ledger_world.rows(CASH, "USDT") == [(1,)]


@pytest.mark.parametrize(("code", "decimals"), [("EUR", 3), ("CHF", 0), ("TWICE", 7)])
def test_the_decimals_of_a_currency_never_change(
    ledger_world: World, code: str, decimals: int
) -> None:
    ledger_world.currency("TWICE", 8)

    with pytest.raises(AlreadyExists):
        ledger_world.currency(code, decimals)


@pytest.mark.parametrize(
    ("code", "decimals"),
    [("AB", 2), ("A" * 13, 2), ("ab1", 2), ("ÄÖÜ", 2), ("NEG", -1), ("DEEP", 19)],
)
def test_a_currency_has_a_short_code_and_at_most_eighteen_decimals(
    ledger_world: World, code: str, decimals: int
) -> None:
    with pytest.raises(InvalidRequest):
        ledger_world.currency(code, decimals)

    assert ledger_world.rows(CASH, code) == [(0,)]


def test_two_operators_who_add_one_currency_at_once_add_it_once(ledger_world: World) -> None:
    with ExitStack() as stack:
        with operation(ledger_world.urls.database, AUTHOR) as database:
            add_currency(database, "ATONCE", 8)
            second = running(partial(ledger_world.currency, "ATONCE", 8))
            other = stack.enter_context(second)
            until_waiting(ledger_world)
        assert other.result() == "ATONCE"

    assert ledger_world.rows(CASH, "ATONCE") == [(1,)]
