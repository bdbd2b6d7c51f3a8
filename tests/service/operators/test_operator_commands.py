"""What operators type: providers, currencies, bets, the ledger's verification."""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import make_url

from models.secret_cipher import Encrypted, SecretRow
from ops.logins import login_url
from tests.service.support import keys
from tests.service.support.operator_cli import EUR, Operator, operator_with_worker


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run outside the folder of `make run`, which may have a journal key."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    with operator_with_worker() as staffed:
        yield staffed


@pytest.fixture
def player() -> str:
    return f"player {uuid.uuid4().hex}"


def test_an_added_provider_can_sign_with_its_secret(operator: Operator) -> None:
    (added,) = operator.documents("provider", "add", "Games & Söhne")

    assert set(added) == {"counterpartyId", "secret"}
    [(name, *stored)] = operator.world.rows(
        "select name, key, ciphertext, s.id, p.id, counterparty_id"
        " from provider p join provider_secret s on s.provider_id = p.id"
        " where counterparty_id = %s and revoked_at is null",
        added["counterpartyId"],
    )
    decrypted = keys.CIPHER.decrypt(Encrypted(*stored[:2]), SecretRow(*stored[2:]))
    assert (name, decrypted) == ("Games & Söhne", added["secret"])


def test_a_provider_s_name_is_given_once(operator: Operator) -> None:
    before = operator.count("provider")

    assert "'Acme'" in operator.refusal("provider", "add", "Acme")

    assert operator.count("provider") == before


def test_a_bet_is_shown_with_its_transfers(operator: Operator, player: str) -> None:
    (opened,) = operator.documents(*operator.open(player, "--deposit", "1543.75"))
    operator.bet(opened, f"of {player}", stake="10.5", win="55.25")

    (shown,) = operator.documents("bet", "show", f"of {player}", "--provider", operator.provider)

    times = [shown.pop("createdAt"), shown.pop("updatedAt")]
    transfers = shown.pop("transfers")
    assert shown == {
        "betId": f"of {player}",
        "provider": operator.provider,
        "state": "settled",
        "openedBy": "pay_in_out",
        "betAmount": Decimal("10.5"),
        "winAmount": Decimal("55.25"),
        "winOdd": None,
        "gameRoundId": "round",
        "gameId": None,
        "currency": "EUR",
        "accountId": opened["accountId"],
        "sessionId": opened["sessionId"],
        "refusedWith": None,
        "reason": None,
    }
    assert [(one["kind"], one["amount"], one["balanceAfter"]) for one in transfers] == [
        ("stake", Decimal("10.5"), Decimal("1533.25")),
        ("win", Decimal("55.25"), Decimal("1588.5")),
    ]
    stake, win = transfers
    assert stake["debitAccount"] == win["creditAccount"] == opened["accountId"]
    assert stake["creditAccount"] == win["debitAccount"]
    assert all(moment.endswith("Z") for moment in [*times, stake["createdAt"]])


def test_a_rejected_bet_is_shown_without_transfers(operator: Operator, player: str) -> None:
    (opened,) = operator.documents(*operator.open(player))
    operator.bet(opened, f"of {player}", stake="10.5")

    (shown,) = operator.documents("bet", "show", f"of {player}", "--provider", operator.provider)

    assert (shown["state"], shown["refusedWith"], shown["transfers"]) == ("rejected", 4, [])


@pytest.mark.parametrize("provider", [None, "nobody"])
def test_a_bet_that_does_not_exist_is_not_shown(operator: Operator, provider: str | None) -> None:
    refusal = operator.refusal("bet", "show", "no bet", "--provider", provider or operator.provider)

    assert "'no bet'" in refusal or "'nobody'" in refusal


def test_currencies_are_added_once_and_listed(operator: Operator) -> None:
    assert operator.documents("currency", "add", "USDT", "--decimals", "6") == [
        {"code": "USDT", "decimals": 6}
    ]
    operator.documents("currency", "add", "USDT", "--decimals", "6")
    assert "6 decimals" in operator.refusal("currency", "add", "USDT", "--decimals", "2")
    assert "3 decimals" in operator.refusal("currency", "add", "BHD", "--decimals", "2")

    (listed,) = operator.documents("currency", "list")

    assert {"code": "USDT", "decimals": 6} in listed["currencies"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["currency", "list"], "currency  decimals"),
        (["ledger", "verify"], "ok         yes"),
        (["session", "open", "--player", "Ann"], "player  sessionId"),
        (["bet", "show", "for people"], "transferId  kind   amount"),
    ],
)
def test_people_get_aligned_text(operator: Operator, arguments: list[str], expected: str) -> None:
    (opened,) = operator.documents(*operator.open("Ann"))
    operator.bet(opened, "for people", stake="0")
    places = {
        "session": ["--provider", operator.provider, *EUR],
        "bet": ["--provider", operator.provider],
    }

    done = operator.run(*arguments, *places.get(arguments[0], []))

    assert done.exit_code == 0, done.exception
    assert expected in done.stdout


def test_the_ledger_that_all_this_made_is_whole(operator: Operator) -> None:
    (report,) = operator.documents("ledger", "verify")

    assert report["ok"] is True
    assert report["problems"] == []
    assert report["transfers"] == operator.count("transfer")
    assert report["accounts"] == operator.count("account where kind = 'player'")


@pytest.mark.parametrize("command", [["ledger", "verify"], ["provider", "add", "Zed"]])
def test_a_database_without_tables_is_to_be_migrated(
    operator: Operator, command: list[str]
) -> None:
    empty = make_url(operator.world.urls.database).set(database="postgres")

    refusal = operator.refusal(*command, DATABASE_URL=empty.render_as_string(hide_password=False))

    assert "`betcore migrate`" in refusal


@pytest.mark.parametrize("command", [["player", "list"], ["provider", "add", "Zed"]])
def test_another_login_than_an_operators_is_told_so(operator: Operator, command: list[str]) -> None:
    refusal = operator.refusal(
        *command, DATABASE_URL=login_url(operator.world.urls.database, "gateway")
    )

    assert "use an operator's login. PostgreSQL says: permission denied for table" in refusal


def test_an_argument_that_is_no_text_is_refused(operator: Operator) -> None:
    assert "UTF-8" in operator.refusal("session", "close", "\udcff")
