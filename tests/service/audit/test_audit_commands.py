"""The audit log: every command that changes something says who did it and why."""

import csv
import getpass
import io
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from models.audit.log import operation
from models.database.transactions import transaction
from models.directory.currencies import add_currency
from ops.cli import app
from tests.service.support import keys
from tests.service.support.operator_cli import EUR, Operator, operator_with_worker

#: Commands that change no fact, or run the processes that others ask.
CHANGES_NOTHING = {
    *("account statement", "audit list", "bet list", "bet show", "currency list", "dashboard"),
    *("gateway", "healthy", "ledger seal", "ledger verify", "migrate", "player list"),
    *("player show", "provider list", "provider show", "provider secret list", "queue info"),
    *("reconcile", "report house", "session list", "session show", "up", "worker"),
    *("backup", "bet life", "console user list", "housekeeping", "operator key list", "portal"),
    *("report open-bets", "restore", "settings", "games list", "games history", "games sync"),
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run outside the folder of `make run`, which may have keys of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    with operator_with_worker() as staffed:
        yield staffed


def test_every_command_that_changes_something_leaves_who_did_it_and_why(operator: Operator) -> None:
    (provider,) = operator.documents("provider", "add", uuid.uuid4().hex)
    name = provider["counterpartyId"]
    (secret,) = operator.documents("provider", "secret", "add", name)
    (session,) = operator.documents(*operator.open("Mia"))
    where = ("--provider", name, "--player", "Lea", "--deposit", "5", *EUR)
    cash = ("Mia", "--amount", "2", *EUR)
    steps = {
        ("provider", "add", uuid.uuid4().hex): ["provider.added", "secret.added"],
        ("provider", "suspend", name): ["provider.suspended"],
        ("provider", "resume", name): ["provider.resumed"],
        ("provider", "secret", "add", name): ["secret.added"],
        ("provider", "secret", "reencrypt"): [],
        ("provider", "secret", "revoke", name, "--secret-id", secret["secretId"]): [
            "secret.revoked"
        ],
        ("player", "block", "Mia"): ["player.blocked"],
        ("player", "unblock", "Mia"): ["player.unblocked"],
        ("player", "deposit", *cash): ["deposit.requested"],
        ("player", "withdraw", *cash): ["withdrawal.requested"],
        ("session", "open", *where): [
            *("account.opened", "player.added", "account.opened"),
            *("deposit.requested", "session.opened"),
        ],
        **_of_rules_and_access(name),
        ("session", "extend", session["sessionId"]): ["session.extended"],
        ("session", "close", session["sessionId"]): ["session.closed"],
        ("currency", "add", "USDC", "--decimals", "6"): ["currency.added", "account.opened"],
        ("queue", "suspend", "--for", "1000"): ["queue.suspended"],
        ("queue", "resume"): ["queue.resumed"],
        ("queue", "requeue", "--all"): ["queue.requeued"],
        ("ledger", "adopt"): [],
    }
    for arguments, actions in steps.items():
        last = _last(operator)
        done = operator.run(*arguments, "--note", "as asked", BETCORE_ACTOR="mia@desk")
        nothing_failed = "requeue" in arguments
        assert done.exit_code == int(nothing_failed), done.exception

        entries = [one for one in _entries(operator) if int(one["entry"]) > last]
        assert [one["action"] for one in reversed(entries)] == actions, arguments
        assert {(one["actor"], one["note"]) for one in entries} <= {("mia@desk", "as asked")}
    walked = {command for command in _commands() if _is_walked(command, steps)}
    assert walked == set(_commands()) - CHANGES_NOTHING
    assert walked == {command for command, has_note in _commands().items() if has_note}
    (report,) = operator.documents("ledger", "verify")
    assert report["ok"] is True
    assert report["auditLog"] == {"verified": True, "asked": True, "entries": _last(operator)}


def _of_rules_and_access(name: str) -> dict[tuple[str, ...], list[str]]:
    """Commands about what a provider may do, and about who may enter; and their entries."""
    return {
        ("provider", "limits", name, "--rate", "9"): ["provider.limits"],
        ("provider", "allow-list", name, "192.0.2.0/24"): ["provider.allow_list"],
        ("provider", "lock", name): ["provider.locked"],
        ("provider", "unlock", name): ["provider.unlocked"],
        ("provider", "set-url", name, "https://games.example.com"): ["provider.url"],
        ("operator", "key", "add", "platform", "--scope", "all"): ["operator_key.added"],
        ("operator", "key", "revoke", "platform"): ["operator_key.revoked"],
        ("console", "user", "add", "eva", "--role", "support"): ["console_user.added"],
        ("console", "user", "role", "eva", "--role", "operator"): ["console_user.role"],
        ("console", "user", "password", "eva"): ["console_user.password"],
        ("console", "user", "revoke", "eva"): ["console_user.revoked"],
    }


def test_a_deposit_is_written_down_before_it_is_sent(operator: Operator) -> None:
    operator.documents("player", "deposit", "Zoe", "--amount", "7.5", "--reference", "of Zoe", *EUR)

    [found] = _entries(operator, "--action", "deposit.requested", "--limit", "1")
    (line,) = operator.world.rows(
        "select e.created_at < t.created_at, t.account::text from audit_log e"
        " join transfer t on t.reference = e.facts ->> 'reference' where e.id = %s",
        int(found["entry"]),
    )
    assert found["facts"] == {"amount": "7.5", "reference": "of Zoe"}
    assert (True, f"account {line[1]}") == (line[0], found["subject"])


def test_who_did_it_is_the_user_and_the_host_unless_it_is_set(operator: Operator) -> None:
    operator.documents("player", "deposit", "Kim", "--amount", "1", *EUR)

    assert _entries(operator)[0]["actor"] == f"{getpass.getuser()}@{socket.gethostname()}"


@pytest.mark.parametrize("note", ["", "x" * 501, "two\nlines", "a bell \a"])
def test_a_note_that_is_none_is_refused_and_nothing_is_done(operator: Operator, note: str) -> None:
    before = _last(operator)

    refusal = operator.refusal("provider", "add", uuid.uuid4().hex, "--note", note)

    assert refusal == "A note has 1 to 500 printable characters."
    assert _last(operator) == before


def test_without_the_operator_key_nothing_is_changed(operator: Operator) -> None:
    before = operator.count("provider")

    refusal = operator.refusal("provider", "add", uuid.uuid4().hex, BETCORE_OPERATOR_KEY="")

    assert "set BETCORE_OPERATOR_KEY" in refusal
    assert operator.count("provider") == before


def test_whoever_changes_a_fact_outside_an_operation_is_stopped(operator: Operator) -> None:
    with (
        pytest.raises(ValueError, match="somebody answers for it"),
        transaction(operator.world.urls.database) as database,
    ):
        add_currency(database, "NOBODY", 2)

    assert operator.count("currency where code = 'NOBODY'") == 0


def test_two_operators_at_once_have_one_list_without_a_gap(operator: Operator) -> None:
    url = operator.world.urls.database
    before = _last(operator)
    with operation(url, keys.AUTHOR) as first, operation(url, keys.AUTHOR) as second:
        add_currency(second, "SECOND", 2)
        add_currency(first, "FIRST", 2)

    entries = _entries(operator)[:4]
    assert [int(one["entry"]) - before for one in entries] == [4, 3, 2, 1]
    assert [one["name"] for one in entries if one["action"] == "currency.added"] == [
        *("FIRST", "SECOND"),
    ]
    assert operator.run("ledger", "verify").exit_code == 0


def test_entries_are_looked_up_by_subject_action_and_time(operator: Operator) -> None:
    player = f"player {uuid.uuid4().hex}"
    operator.documents(*operator.open(player))
    operator.documents("player", "block", player, "--note", "=1+1")

    of_player = _entries(operator, "--subject", f"player:{player}")
    blocked, added = of_player
    assert [one["action"] for one in of_player] == ["player.blocked", "player.added"]
    assert added["facts"] == {"externalId": player, "status": "active"}
    assert blocked["name"] == player
    since = ("--since", blocked["createdAt"])
    assert _entries(operator, *since, "--subject", "player") == [blocked]
    until = ("--until", blocked["createdAt"])
    assert _entries(operator, *until, "--subject", f"player:{player}") == [added]
    assert _entries(operator, "--action", "player.blocked", "--limit", "1") == [blocked]
    assert "A subject is one of currency," in operator.refusal("audit", "list", "--subject", "bet")
    rows = list(csv.DictReader(io.StringIO(operator.run("audit", "list", "--csv").stdout)))
    assert rows[0]["facts"] == "status=blocked"
    assert rows[0]["note"] == "'=1+1"
    assert "player.blocked" in operator.run("audit", "list", "--limit", "1").stdout


def test_the_queue_is_suspended_also_when_nobody_can_write_it_down(operator: Operator) -> None:
    nowhere = {"DATABASE_URL": "postgresql://127.0.0.1:1/nowhere"}
    before = _last(operator)

    suspended = operator.run("queue", "suspend", **nowhere)
    resumed = operator.run("queue", "resume", **nowhere)

    assert (suspended.exit_code, resumed.exit_code) == (0, 0)
    assert suspended.stderr.startswith("This is not in the audit log: PostgreSQL: connection")
    assert _last(operator) == before


def _entries(operator: Operator, *arguments: str) -> list[dict[str, Any]]:
    (found,) = operator.documents("audit", "list", *arguments)
    entries: list[dict[str, Any]] = found["entries"]
    return entries


def _last(operator: Operator) -> int:
    return int(operator.world.rows("select coalesce(max(id), 0) from audit_log")[0][0])


def _commands() -> dict[str, bool]:
    """Every command by its name, and whether it has --note."""
    found: dict[str, bool] = {}

    def walk(command: Any, name: str) -> None:
        for child_name, child in getattr(command, "commands", {}).items():
            walk(child, f"{name} {child_name}".strip())
        if not hasattr(command, "commands"):
            found[name] = any("--note" in option.opts for option in command.params)

    walk(typer.main.get_command(app), "")
    return found


def _is_walked(command: str, steps: dict[tuple[str, ...], list[str]]) -> bool:
    return any(" ".join(step).startswith(command) for step in steps)
