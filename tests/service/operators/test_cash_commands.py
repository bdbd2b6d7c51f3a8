"""`betcore player deposit` and `withdraw`: money that players bring and take."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from broker.cash import CashError, InsufficientFunds, book
from models.commands import Withdrawal
from tests.service.support import keys
from tests.service.support.operator_cli import EUR, Operator

MONEY_TABLES = ("currency", "player", "account", "transfer")


@pytest.fixture
def player() -> str:
    return f"player {uuid.uuid4().hex}"


def test_a_deposit_makes_the_player_and_its_account(operator: Operator, player: str) -> None:
    (made,) = operator.documents("player", "deposit", player, *EUR, "--amount", "12.50")

    assert set(made) == {"accountId", "transferId", "reference", "balance"}
    assert made["balance"] == Decimal("12.5")
    assert operator.world.rows(
        "select p.external_id, p.status, a.currency, a.balance, t.kind, t.amount"
        " from transfer t join account a on a.id = t.account join player p on p.id = a.player_id"
        " where t.id = %s and a.id = %s and t.reference = %s",
        made["transferId"],
        made["accountId"],
        made["reference"],
    ) == [(player, "active", "EUR", Decimal("12.5"), "deposit", Decimal("12.5"))]


def test_money_comes_and_goes_to_the_last_digit(operator: Operator, player: str) -> None:
    operator.documents("currency", "add", "GWEI", "--decimals", "9")
    move = (player, "--currency", "GWEI", "--amount")
    operator.documents("player", "deposit", *move, "999999999999999.999999999")
    operator.documents("player", "deposit", *move, "999999999999999.999999999")

    done = operator.run("player", "withdraw", *move, "0.000000001", "--json")

    assert done.stdout.endswith('"balance": 1999999999999999.999999997}\n')


@pytest.mark.parametrize("command", ["deposit", "withdraw"])
def test_a_reference_moves_money_once(operator: Operator, player: str, command: str) -> None:
    operator.documents("player", "deposit", player, *EUR, "--amount", "50")
    move = ("player", command, player, *EUR, "--amount")

    first = operator.documents(*move, "10", "--reference", f"of {player}")
    again = operator.documents(*move, "10.00", "--reference", f"of {player}")

    assert first == again
    assert first[0]["balance"] == {"deposit": 60, "withdraw": 40}[command]


def test_a_reference_that_is_made_is_told_and_repeats_harmlessly(
    operator: Operator, player: str
) -> None:
    done = operator.run("player", "deposit", player, *EUR, "--amount", "10", "--json")
    reference = done.stderr.split()[1]

    again = operator.documents(
        *("player", "deposit", player, *EUR, "--amount", "10", "--reference", reference)
    )

    assert again == [json.loads(done.stdout)]


@pytest.mark.parametrize(
    "second",
    [
        ("deposit", "EUR", "11"),
        ("deposit", "JPY", "10"),
        ("withdraw", "EUR", "10"),
    ],
)
def test_a_reference_stands_for_one_movement(
    operator: Operator, player: str, second: tuple[str, str, str]
) -> None:
    reference = ("--reference", f"of {player}")
    (first,) = operator.documents("player", "deposit", player, *EUR, "--amount", "10", *reference)
    command, currency, amount = second

    refusal = operator.refusal(
        *("player", command, player, "--currency", currency, "--amount", amount, *reference)
    )

    assert f"'of {player}' already stands for another" in refusal
    assert operator.world.rows(
        "select a.balance from account a join player p on p.id = a.player_id"
        " where p.external_id = %s and a.balance <> 0",
        player,
    ) == [(first["balance"],)]


def test_a_withdrawal_that_is_not_covered_names_the_balance_and_may_succeed_later(
    operator: Operator, player: str
) -> None:
    operator.documents("player", "deposit", player, *EUR, "--amount", "10.5")
    move = ("player", "withdraw", player, *EUR, "--amount", "10.51", "--reference", f"of {player}")

    refusal = operator.refusal(*move)

    assert refusal == (
        "The account holds 10.5, which does not cover the withdrawal "
        f"'of {player}' of 10.51: this moved nothing. "
        f"To try again, use the same reference: --reference 'of {player}'."
    )
    operator.documents("player", "deposit", player, *EUR, "--amount", "0.01")
    assert [done["balance"] for done in operator.documents(*move)] == [0]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("", "The operator key is missing: set BETCORE_OPERATOR_KEY, the same for all workers and"),
        ("short", "BETCORE_OPERATOR_KEY must be at least 32 bytes in hex or base64"),
        (keys.OTHER_OPERATOR, "which the worker does not have: BETCORE_OPERATOR_KEY must be"),
    ],
)
def test_without_the_workers_operator_key_no_money_moves_and_the_reason_is_told(
    operator: Operator,
    player: str,
    key: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # not where `make run` has left keys
    before = operator.count("transfer")

    refusal = operator.refusal(
        *("player", "deposit", player, *EUR, "--amount", "10"), BETCORE_OPERATOR_KEY=key
    )

    assert says in refusal
    assert operator.count("transfer") == before


def test_withdrawals_at_once_never_take_more_than_there_is(operator: Operator, player: str) -> None:
    (made,) = operator.documents("player", "deposit", player, *EUR, "--amount", "50")
    account_id = int(made["accountId"])

    def withdraw(number: int) -> bool:
        try:
            book(
                operator.settings(), [Withdrawal(account_id, f"{number} of {player}", Decimal(10))]
            )
        except InsufficientFunds:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(withdraw, range(8)))

    assert sorted(taken) == [False] * 3 + [True] * 5
    assert operator.world.rows("select balance from account where id = %s", account_id) == [(0,)]


def test_a_withdrawal_from_an_account_that_does_not_exist_says_so(
    operator: Operator, player: str
) -> None:
    withdraw = ("player", "withdraw", player, "--amount", "1", "--currency")
    assert operator.refusal(*withdraw, "EUR") == f"There is no player {player!r}."
    operator.documents("player", "deposit", player, *EUR, "--amount", "1")
    before = [operator.count(table) for table in MONEY_TABLES]

    for currency in ("SEK", "nonsense"):
        refusal = operator.refusal(*withdraw, currency)
        assert refusal == f"The player {player!r} has no account in {currency!r}."

    assert [operator.count(table) for table in MONEY_TABLES] == before


@pytest.mark.parametrize("command", ["deposit", "withdraw"])
@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["--amount", "0.00"], "amount must be above 0."),
        (["--amount", "-1"], "amount must be a decimal number, zero or more."),
        (["--amount", "1.001"], "amount may have at most 2 decimals."),
        (["--amount", "1e15"], "amount must be below 10^15."),
        (["--amount", "1", "--reference", ""], "reference must be text of 1 to 128 characters."),
    ],
)
def test_what_cannot_be_moved_leaves_nothing(
    operator: Operator, player: str, command: str, arguments: list[str], refusal: str
) -> None:
    if command == "withdraw":
        operator.documents("player", "deposit", player, *EUR, "--amount", "5")
    before = [operator.count(table) for table in MONEY_TABLES]

    assert operator.refusal("player", command, player, *EUR, *arguments) == refusal

    assert [operator.count(table) for table in MONEY_TABLES] == before


def test_a_currency_that_does_not_exist_takes_no_deposit(operator: Operator, player: str) -> None:
    refusal = operator.refusal("player", "deposit", player, "--currency", "XYZ", "--amount", "1")

    assert refusal.startswith("There is no currency 'XYZ'")
    assert operator.count(f"player where external_id = '{player}'") == 0


def test_a_withdrawal_that_no_worker_can_apply_fails_soon(operator: Operator) -> None:
    with pytest.raises(CashError, match="could not apply the withdrawal"):
        book(operator.settings(), [Withdrawal(10**9, uuid.uuid4().hex, Decimal(5))])


def test_people_get_aligned_text(operator: Operator, player: str) -> None:
    done = operator.run(
        "player", "deposit", player, *EUR, "--amount", "12.50", "--reference", player
    )

    names, values = zip(*[line.split(maxsplit=1) for line in done.stdout.splitlines()], strict=True)
    assert names == ("accountId", "transferId", "reference", "balance")
    assert values[2:] == (player, "12.5")
