"""`betcore ledger verify` exits with 0 only if it verified everything that was asked for."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models.database.engine import engine
from models.keys import Purpose
from ops.cli import app
from settings import settings
from tests.service.support import keys
from tests.service.support.ledger_copy import LedgerCopy

WITHOUT = "(--without-journal checks balances and bets only.)"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run outside the folder of `make run`, which may have keys of its own."""
    monkeypatch.chdir(tmp_path)


def test_a_ledger_that_is_vouched_for_exits_with_0_and_says_so(
    audited_template: LedgerCopy,
) -> None:
    assert ledger(audited_template, "verify").exit_code == 0
    assert report(audited_template) == {
        "ok": True,
        "transfers": 3,
        "accounts": 2,
        "journal": {
            "verified": True,
            "asked": True,
            "rows": 6,
            "strands": 2,
            "beforeJournal": 0,
            "sealedStrands": None,
        },
        "auditLog": {"verified": True, "asked": True, "entries": 24},
        "unvouched": {
            "total": 0,
            "stated": None,
            "transfers": 0,
            "rejectedBets": 0,
            "finishedRounds": 0,
            "facts": {},
            "inRowsOfUnknownKeys": 0,
        },
        "problems": [],
        "more": 0,
    }


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (keys.HEX, ["journal", "operator"]),
        ({Purpose.JOURNAL}, ["journal"]),
        ({Purpose.OPERATOR}, ["operator"]),
    ],
)
def test_a_missing_key_is_an_error_with_a_line_that_names_it(
    audited_template: LedgerCopy, missing: set[Purpose], says: list[str]
) -> None:
    environment = {purpose.variable: "" for purpose in missing}

    shown = ledger(audited_template, "verify", **environment)
    found = report(audited_template, **environment)

    assert shown.exit_code == 1
    lines = [
        f"What the {purpose} key signed cannot be verified: set BETCORE_{purpose.upper()}_KEY."
        f" {WITHOUT}"
        for purpose in says
    ]
    assert found["problems"][: len(lines)] == lines
    assert found["ok"] is False
    assert found["journal"]["verified"] is ("journal" not in says)
    assert found["auditLog"]["verified"] is ("operator" not in says)
    assert "NOT VERIFIED: no key (BETCORE_" in shown.stdout


def test_without_the_journal_only_balances_and_bets_are_verified(audited: LedgerCopy) -> None:
    audited.damage("truncate journal, audit_log")
    no_keys = {purpose.variable: "" for purpose in keys.HEX}

    shown = ledger(audited, "verify", "--without-journal", **no_keys)

    assert shown.exit_code == 0
    assert "not verified, as asked: balances and bets only" in shown.stdout
    assert report(audited, "--without-journal", **no_keys)["journal"] == {
        "verified": False,
        "asked": False,
    }
    audited.damage("update account set balance = 5 where id = 4")
    assert ledger(audited, "verify", "--without-journal", **no_keys).exit_code == 1
    assert ledger(audited, "verify", "--without-journal", "--unvouched", "0").exit_code == 2


@pytest.mark.parametrize("table", ["journal", "audit_log", "journal, audit_log"])
def test_what_was_emptied_exits_with_1_and_one_line_says_so(
    audited: LedgerCopy, table: str
) -> None:
    audited.damage(f"truncate {table}")

    assert ledger(audited, "verify").exit_code == 1
    emptied = [one for one in report(audited)["problems"] if "it was emptied." in one]
    assert len(emptied) == len(table.split(","))


def test_what_nothing_vouches_for_is_an_error_unless_its_number_is_stated(
    audited: LedgerCopy, tmp_path: Path
) -> None:
    """As on a ledger that was upgraded: Ann's three transfers are older than the journal."""
    audited.damage(
        "delete from journal where cardinality(transfers) > 0",
        "update journal_start set transfer_id = 10000",
        "update audit_start set until = 10000 where kind = 'bet'",
    )
    seal = str(tmp_path / "seal")

    assert ledger(audited, "verify").exit_code == 1
    [problem] = report(audited)["problems"]
    assert problem == (
        "Nothing vouches for 3 transfers older than the journal, 1 rejected bets older than the"
        " journal. `betcore ledger adopt` vouches for the older ones as they are now; --unvouched"
        " 4 accepts them."
    )
    assert ledger(audited, "verify", "--unvouched", "3").exit_code == 1
    assert ledger(audited, "verify", "--unvouched", "5").exit_code == 1
    assert ledger(audited, "verify", "--unvouched", "4").exit_code == 0
    assert ledger(audited, "seal", "--out", seal).exit_code == 0
    assert ledger(audited, "verify", "--seal", seal).exit_code == 0
    assert ledger(audited, "adopt", "--note", "checked by hand").exit_code == 0
    assert ledger(audited, "verify", "--seal", seal).exit_code == 0
    assert ledger(audited, "verify").exit_code == 0
    assert ledger(audited, "verify", "--unvouched", "4").exit_code == 1


def test_rows_of_a_key_that_is_not_given_are_an_error_unless_their_number_is_stated(
    audited_template: LedgerCopy,
) -> None:
    fresh = {"BETCORE_OPERATOR_KEY": "ab" * 32}

    assert ledger(audited_template, "verify", **fresh).exit_code == 1
    found = report(audited_template, **fresh)
    assert (found["unvouched"]["total"], found["unvouched"]["inRowsOfUnknownKeys"]) == (24, 24)
    assert ledger(audited_template, "verify", "--unvouched", "24", **fresh).exit_code == 0
    old = {"BETCORE_OPERATOR_KEYS_OLD": keys.HEX[Purpose.OPERATOR]}
    assert ledger(audited_template, "verify", **fresh, **old).exit_code == 0


def ledger(ledger_copy: LedgerCopy, *arguments: str, **env: str) -> Result:
    """Run a command of `betcore ledger` with all keys, unless `env` says otherwise."""
    servers = {"DATABASE_URL": ledger_copy.url, "REDIS_URL": "redis://127.0.0.1:1/0"}
    settings.cache_clear()
    try:
        return CliRunner(env=servers | keys.ENVIRONMENT | env).invoke(app, ["ledger", *arguments])
    finally:
        settings.cache_clear()
        engine(ledger_copy.url).dispose()  # a copy is made only of what nobody is connected to


def report(ledger_copy: LedgerCopy, *arguments: str, **env: str) -> dict[str, Any]:
    """What `betcore ledger verify --json` prints."""
    found: dict[str, Any] = json.loads(
        ledger(ledger_copy, "verify", "--json", *arguments, **env).stdout
    )
    return found
