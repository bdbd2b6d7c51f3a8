"""The crash campaign of one seed, as `make crash` runs twenty longer ones."""

from pathlib import Path

import pytest

from tests.crash.campaign import run
from tests.crash.plan import draw
from tests.crash.points import POINTS
from tests.crash.report import BEGIN, END, write
from tests.crash.results import append, load

_SEED = 1


@pytest.mark.timeout(300)
def test_whatever_is_killed_nothing_is_lost_and_nothing_is_done_twice(tmp_path: Path) -> None:
    found = run(draw(_SEED, short=True), tmp_path)

    assert found["violations"] == [], f"make crash SEED={_SEED} ARGS=--short"
    assert found["points"].keys() == POINTS.keys()
    assert found["codes"]["1"] > 200


def test_a_seed_is_a_plan_and_every_plan_has_every_point() -> None:
    for seed in range(1, 21):
        for short in (True, False):
            plan = draw(seed, short=short)
            assert plan == draw(seed, short=short)
            assert {f.detail for step in plan.steps for f in step.faults} - {""} == POINTS.keys()


def test_the_report_is_made_of_the_results_of_campaigns(tmp_path: Path) -> None:
    document = tmp_path / "RELIABILITY.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    one = {
        "seed": 1,
        "seconds": 1800,
        "requests": 1000,
        "bets": 500,
        "transfers": 900,
        "codes": {"1": 980, "0": 7, "99": 12, "none": 1},
        "faults": {"kill": 2},
        "points": dict.fromkeys(POINTS, 1),
        "recovery": [
            {"kind": "kill (worker)", "first": 0.1, "last": 2.0, "others": None},
            {"kind": "kill (worker)", "first": 0.3, "last": None, "others": None},
        ],
        "violations": [],
    }
    append(tmp_path, one)
    append(tmp_path, one | {"seed": 2})

    write(document, load(tmp_path))

    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| seeds | 1 to 2 |" in text
    assert "| requests | 2,000 |" in text
    assert "| kill (worker) | 4 | 0.2 / 0.3 s | 2.0 / 2.0 s | - |" in text
