"""What the ledger says is recorded; deposits; amounts that are exact to the last digit."""

from decimal import Decimal

import pytest

from models.codes import Code
from models.commands import Command
from models.errors import LedgerError
from models.outcome import Outcome
from tests.service.support.ledger_world import (
    EXACT,
    LedgerPlayer,
    apply,
    balance_of,
    ledger_on,
    locked,
    new_players,
    recorded_rows,
)
from tests.service.support.world import World


def test_what_is_recorded_is_said_with_the_first_ids_and_the_present_balance(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")
    taken, refused = player.bet(4, 1), player.bet(100)
    first, _ = apply(ledger_world, taken, refused)
    apply(ledger_world, player.bet(2))

    with ledger_on(ledger_world) as fresh:
        said = fresh.recorded([taken, refused, player.bet(4, 2, taken.bet_id)])

    present = Decimal(5)
    assert said == [
        Outcome(Code.DONE, present, first.ids),
        Outcome(Code.INSUFFICIENT_FUNDS, present),
        Outcome(Code.BET_CONFLICT, present),
    ]


def test_what_is_not_recorded_is_not_said_whatever_the_rules_would_say(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")
    [ended] = new_players(ledger_world, "10")
    ledger_world.execute("update session set closed_at = now() where id = %s", ended.session_id)
    unheard_of: list[Command] = [player.bet(1), player.bet(1000), ended.bet(1), player.deposit(1)]

    with ledger_on(ledger_world) as fresh:
        said = fresh.recorded(unheard_of)

    assert said == [None] * 4


def test_to_say_what_is_recorded_writes_nothing_and_waits_for_nobodys_lock(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")
    old = player.bet(1)
    apply(ledger_world, old)
    state = "select a.xmin, a.*, s.last_value from account a, ledger_ids s where a.id = %s"
    before = ledger_world.rows(state, player.account_id)
    questions: list[Command] = [old, player.bet(1), player.deposit(5)] * 200

    with locked(ledger_world, player.account_id), ledger_on(ledger_world, 2) as fresh:
        said = fresh.recorded(questions)

    assert [outcome is None for outcome in said] == [False, True, True] * 200
    assert ledger_world.rows(state, player.account_id) == before
    assert recorded_rows(ledger_world, player) == (1, 3)


def test_a_deposit_is_made_once_per_reference_in_a_batch_and_later(ledger_world: World) -> None:
    [player, other] = new_players(ledger_world, "0", 2)
    deposit = player.deposit("12.5")

    first, again = apply(ledger_world, deposit, deposit)
    later = apply(
        ledger_world,
        player.deposit("12.50", deposit.reference),
        player.deposit(13, deposit.reference),
        other.deposit("12.5", deposit.reference),
    )

    assert first == again == later[0] == Outcome(Code.DONE, Decimal("12.5"), first.ids)
    assert later[1:] == [
        Outcome(Code.BET_CONFLICT, balance) for balance in (Decimal("12.5"), Decimal(0))
    ]
    assert balance_of(ledger_world, player) == Decimal("12.5")
    assert balance_of(ledger_world, other) == 0


def test_a_deposit_comes_from_the_currencys_cash_account_and_is_found_when_recorded(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "0", currency="USD")
    deposit = player.deposit(5)

    [outcome] = apply(ledger_world, deposit)

    cash = "select id from account where kind = 'cash' and currency = 'USD'"
    moved = "select debit_account, credit_account, kind, bet, reference from transfer where id = %s"
    [row] = ledger_world.rows(moved, outcome.ids[0])
    assert row[:2] == (ledger_world.rows(cash)[0][0], player.account_id)
    assert row[2:] == ("deposit", None, deposit.reference)
    assert ledger_world.ledger.recorded([deposit]) == [outcome]


@pytest.mark.parametrize("kind", ["nobody's", "house", "cash"])
def test_a_deposit_into_an_account_that_is_no_players_is_an_error(
    ledger_world: World, kind: str
) -> None:
    [player] = new_players(ledger_world, "0")
    of_kind = "select min(id) from account where kind = %s"
    account_id = ledger_world.rows(of_kind, kind)[0][0] or 2**40

    with pytest.raises((LedgerError, ValueError)):
        apply(ledger_world, player.deposit(1), LedgerPlayer(0, "", account_id).deposit(1))

    assert recorded_rows(ledger_world, player) == (0, 0)


def test_a_bet_moves_money_between_the_player_and_its_providers_house_of_that_currency(
    ledger_world: World,
) -> None:
    client = ledger_world.provider()
    provider_id = ledger_world.provider_row(client)
    house = "select id, balance from account where provider_id = %s and currency = %s"
    moved = "select debit_account, credit_account, amount, kind from transfer where id = any(%s)"

    for currency in ("EUR", "USD", "EUR"):
        opened = ledger_world.open_session(client, "10", currency=currency)
        player = LedgerPlayer(provider_id, opened.session_id, opened.account_id)
        [outcome] = apply(ledger_world, player.bet(3, 2))

        [(house_id, balance)] = ledger_world.rows(house, provider_id, currency)
        assert balance is None
        assert ledger_world.rows(f"{moved} order by account_seq", list(outcome.ids)) == [
            (player.account_id, house_id, Decimal(3), "stake"),
            (house_id, player.account_id, Decimal(2), "win"),
        ]


@pytest.mark.parametrize(
    ("currency", "decimals"), [("JPY", 0), ("EUR", 2), ("KWD", 3), ("BTC", 8), ("ATTO", 18)]
)
def test_the_smallest_and_the_largest_amounts_of_every_currency_are_exact(
    ledger_world: World, currency: str, decimals: int
) -> None:
    ledger_world.currency(currency, decimals)
    unit = Decimal(1).scaleb(-decimals)
    largest = EXACT.subtract(Decimal(10) ** 15, unit)
    [player] = new_players(ledger_world, largest, currency=currency)

    rest = EXACT.subtract(largest, unit)

    outcomes = apply(ledger_world, player.bet(unit), player.bet(rest, unit), player.bet(0, 0))

    assert [outcome.balance for outcome in outcomes] == [rest, unit, unit]
    assert outcomes[0].to_json()["balance"] == f"{rest:f}"
    assert balance_of(ledger_world, player) == unit
    [sums] = ledger_world.rows(
        "select sum(amount) filter (where kind = 'stake'), sum(amount) filter (where kind = 'win')"
        " from transfer where account = %s",
        player.account_id,
    )
    assert sums == (largest, unit)


def test_a_balance_grows_above_any_single_amount_and_stays_exact(ledger_world: World) -> None:
    ledger_world.currency("ATTO", 18)
    [player] = new_players(ledger_world, "0", currency="ATTO")
    largest = Decimal("999999999999999.999999999999999999")

    apply(ledger_world, *[player.deposit(largest) for _ in range(32)])
    outcomes = apply(ledger_world, player.bet(largest, largest), player.bet("0.000000000000000001"))

    balance = Decimal("31999999999999999.999999999999999967")
    assert [outcome.code for outcome in outcomes] == [1, 1]
    assert outcomes[1].to_json()["balance"] == str(balance)
    assert balance_of(ledger_world, player) == balance
