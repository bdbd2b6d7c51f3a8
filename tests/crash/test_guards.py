"""Guards that a campaign disables: each exists, can be disabled, and is then missed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.campaign import run
from tests.crash.games import games
from tests.crash.guards import GUARDS, plan
from tests.crash.installation import WORKERS
from tests.crash.oracle import RULES
from tests.crash.plan import KINDS, Fault
from tests.crash.points import POINTS, WITHOUT
from tests.crash.report import BEGIN_GUARDS, DOCUMENT, END_GUARDS, write
from tests.crash.unguarded import REMOVALS


def test_every_guard_has_a_removal_known_faults_known_rules_and_a_known_game() -> None:
    assert GUARDS.keys() == REMOVALS.keys()
    for name, guard in GUARDS.items():
        for step in plan(name).steps:
            assert all(_is_possible(fault) for fault in step.faults)
        assert guard.rules
        assert guard.rules <= {rule.__name__ for rule in RULES}
        assert games(guard.favourite)
        assert plan(name).without == name


def _is_possible(fault: Fault) -> bool:
    if fault.detail and fault.detail not in POINTS:
        return False
    return fault.target in (WORKERS if fault.kind == "point" else KINDS[fault.kind][0])


def test_a_process_starts_without_any_of_the_guards() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STARTS], input="\n".join(REMOVALS), capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: betcore worker") == len(REMOVALS)


#: Starts a worker without each guard named in the input; imports what all of them need once.
_STARTS = f"""
import os, sys
from tests.crash.launch import start

for guard in sys.stdin.read().split("\\n"):
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0, guard
    else:
        os.environ[{WITHOUT!r}], sys.argv = guard, ["betcore", "worker", "--help"]
        start()
"""


@pytest.mark.timeout(300)
def test_what_is_done_without_a_guard_is_noticed(tmp_path: Path) -> None:
    """This disables one guard. `make crash-guards` disables each."""
    found = run(plan("lost commit"), tmp_path)

    spoke = {violation.partition(":")[0] for violation in found["violations"]}
    assert spoke & GUARDS["lost commit"].rules


def test_our_own_page_has_the_promises_of_the_code() -> None:
    page = DOCUMENT.read_text()

    for name, guard in GUARDS.items():
        assert page.count(f"| {name} | {guard.promise} | ") == 1


def test_the_report_says_which_rules_spoke_without_each_guard(tmp_path: Path) -> None:
    document = tmp_path / "RELIABILITY.md"
    document.write_text(f"before\n{BEGIN_GUARDS}\nold\n{END_GUARDS}\nafter\n")
    nonce = {"guard": "nonce", "seed": 3, "spoke": {"a_nonce_is_accepted_once": 2}}

    write(document, [], [{"guard": "lease", "seed": 1, "spoke": {}}, nonce | {"seed": 1}, nonce])

    lines = document.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    promised = {name: GUARDS[name].promise for name in ("nonce", "lease")}
    assert lines[-4:-2] == [
        f"| nonce | {promised['nonce']} | 3 | `a_nonce_is_accepted_once` 2 |",
        f"| lease | {promised['lease']} | 1 | **none** |",
    ]
