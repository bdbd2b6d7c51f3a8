"""`betcore reconcile`: every difference between a provider's own list and ours, one per line."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from models.commands import PayIn, Refund
from tests.service.support.ledger_world import LedgerPlayer, apply, new_players
from tests.service.support.operator_cli import Operator, operator_on
from tests.service.support.world import World

WHOLE = """betId,stake,win,state
taken,10,0,open
paid,10.50,55.25,settled
given back,3,,refunded
refused,100000,,rejected
"""


@pytest.fixture(scope="module")
def operator(ledger_world: World) -> Iterator[Operator]:
    """A provider with five bets: taken, paid, given back, refused, cancelled."""
    with operator_on(ledger_world) as made:
        [player] = new_players(ledger_world, "1000")
        place = (player.provider_id, player.session_id, player.account_id)
        apply(
            ledger_world,
            PayIn(*place, "taken", stake=Decimal(10)),
            player.bet("10.50", "55.25", "paid"),
            PayIn(*place, "given back", stake=Decimal(3)),
            Refund(*place, "given back"),
            player.bet(100_000, 0, "refused"),
            Refund(*place, "cancelled"),
        )
        yield Operator(made.world, _counterparty(ledger_world, player))


@pytest.mark.parametrize(
    "listed",
    [
        WHOLE,
        WHOLE.replace("refused,100000,,rejected\n", ""),
        WHOLE + "unheard of,5,,rejected\n\n",
        WHOLE + "cancelled,,,cancelled\n",
        "\ufeffstate,other,betId\nopen,x,taken\nSettled,y,paid\n refunded ,,given back\n",
        "betId\ntaken\npaid\ngiven back\n",
        "win,betId,stake\r\n55.25,paid,1.05e1\r\n,taken,10.000\r\n0,given back,3\r\n",
    ],
    ids=["whole", "none refused", "unknown refused", "tombstone", "states", "ids", "amounts"],
)
def test_lists_that_say_the_same_do_not_differ(
    operator: Operator, tmp_path: Path, listed: str
) -> None:
    done = _run(operator, tmp_path, listed, "--json")

    assert done.exit_code == 0, done.stdout
    assert json.loads(done.stdout)["ok"] is True
    assert json.loads(done.stdout)["differences"] == []


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ("taken,10,0,open", "taken,10.01,0,open", ("differs", 2, "taken", "stake")),
        ("taken,10,0,open", "taken,10,1,settled", ("differs", 2, "taken", "win, state")),
        ("paid,10.50,55.25", "paid,10.50,55.250000000000000001", ("differs", 3, "paid", "win")),
        ("rejected", "open", ("differs", 5, "refused", "state")),
        ("taken,10,0,open\n", "", ("missing_there", None, "taken", None)),
        ("paid,", "Paid,", ("missing_here", 3, "Paid", None)),
        ("paid,10.50", "paid,ten", ("bad_line", 3, "paid", "stake must be a decimal number, zero")),
        ("paid,10.50", "paid,-1", ("bad_line", 3, "paid", "stake must be a decimal number, zero")),
        ("settled", "won", ("bad_line", 3, "paid", "state must be one of cancelled, open, refun")),
        ("\npaid", "\ntaken,10,0,open\npaid", ("bad_line", 3, "taken", "betId was listed in li")),
        ("\npaid", "\na,b\npaid", ("bad_line", 3, None, "2 cells under 4 titles")),
        ("\npaid", "\n,1,1,open\npaid", ("bad_line", 3, None, "betId must be text of 1 to")),
    ],
)
def test_what_differs_is_said_with_its_line(
    operator: Operator, tmp_path: Path, was: str, now: str, expected: tuple[Any, ...]
) -> None:
    done = _run(operator, tmp_path, WHOLE.replace(was, now, 1), "--json")

    found = [
        (row["difference"], row["line"], row["betId"], row["what"])
        for row in json.loads(done.stdout)["differences"]
    ]
    kind, line, bet_id, what = expected
    assert done.exit_code == 1
    assert [row[:3] for row in found if row[0] == kind] == [(kind, line, bet_id)]
    assert (found[0][3] or "").startswith(what or "")
    assert len(found) == (2 if kind == "missing_here" else 1)


def test_a_list_without_states_names_what_counts(operator: Operator, tmp_path: Path) -> None:
    done = _run(operator, tmp_path, "betId\ntaken\npaid\ngiven back\nrefused\ncancelled\n", "--csv")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.exit_code == 1
    assert [(row["betId"], row["stateHere"], row["what"]) for row in rows] == [
        ("refused", "rejected", "state"),
        ("cancelled", "cancelled", "state"),
    ]


def test_bets_outside_the_times_need_not_be_listed(operator: Operator, tmp_path: Path) -> None:
    nothing = "betId,stake\n"

    late = _run(operator, tmp_path, nothing, "--since", "2999-01-01")
    early = _run(operator, tmp_path, nothing, "--until", "2001-01-01T00:00:00+02:00")
    within = _run(operator, tmp_path, nothing, "--since", "2001-01-01", "--until", "2999-01-01")

    assert (late.exit_code, early.exit_code, within.exit_code) == (0, 0, 1)
    assert within.stdout.count("missing_there") == 3


def test_people_get_a_table_and_amounts_are_exact(operator: Operator, tmp_path: Path) -> None:
    done = _run(operator, tmp_path, WHOLE.replace("55.25", "55.250000000000000001"))

    assert done.exit_code == 1
    assert "differing     1" in done.stdout
    assert "55.250000000000000001    55.25" in done.stdout


def test_a_long_comparison_tells_how_far_it_is(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.audit.reconcile._LINES_PER_STAGE", 2)
    monkeypatch.setattr("ops.terminal.progress._QUIET_SECONDS", 0)

    told = _run(operator, tmp_path, WHOLE, "--json").stderr.splitlines()

    assert [line.split(" s  ")[1] for line in told] == [
        "reading the list, 2 bets …",
        "reading the list, 4 bets …",
        "comparing …",
    ]


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        (b"", "Line 1 must name betId"),
        (b"stake,win\n1,2\n", "Line 1 must name betId"),
        (b"betId,betId\n1,2\n", "Line 1 names the column betId twice"),
        (b"betId\n\xff\n", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_list_is_refused(
    operator: Operator, tmp_path: Path, listed: bytes, says: str
) -> None:
    file = tmp_path / "bets.csv"
    file.write_bytes(listed)

    refusal = operator.refusal("reconcile", "--provider", operator.provider, "--file", str(file))

    assert says in refusal


def test_another_providers_bets_are_not_compared(ledger_world: World, tmp_path: Path) -> None:
    other = Operator(ledger_world, _counterparty(ledger_world, new_players(ledger_world)[0]))

    done = _run(other, tmp_path, WHOLE, "--json")

    assert json.loads(done.stdout)["missingHere"] == 3


def _run(operator: Operator, folder: Path, listed: str, *options: str) -> Result:
    file = folder / "bets.csv"
    file.write_text(listed, newline="")
    return operator.run("reconcile", "--provider", operator.provider, "--file", str(file), *options)


def _counterparty(world: World, player: LedgerPlayer) -> str:
    [(name,)] = world.rows("select counterparty_id from provider where id = %s", player.provider_id)
    assert isinstance(name, str)
    return name
