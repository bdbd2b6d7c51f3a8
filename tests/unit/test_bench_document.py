"""The performance page: one command fills it from the most complete results."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.document import DOCUMENT, PLACES, NoResults, document, marks
from bench.figures import FIGURES
from bench.results import Point, save
from tests.unit.bench_runs import results, run

PLACE = "\n".join(f"{begin}\nas it was\n{end}" for begin, end in map(marks, PLACES))


def test_the_page_is_filled_with_the_fullest_results(tmp_path: Path) -> None:
    page = tmp_path / "PERFORMANCE.md"
    page.write_text(f"Before.\n{PLACE}\nAfter.\n")
    save(replace(results(run(Point("ours", 1), 0, 1001.0)), mode="quick"), tmp_path)
    bench = save(results(run(Point("ours", 64), 0, 1064.0)), tmp_path)

    assert document(page, tmp_path) == [bench]

    text = page.read_text()
    begin, end = marks("results")
    assert text.startswith(f"Before.\n{begin}\n`bench` began at 2026-01-01")
    assert text.endswith("as it was\n<!-- end of against -->\nAfter.\n")
    assert text[: text.index(end)].count("| ours, 64 connections | 1,064 |") == 1
    assert "| ours, 1 connection |" not in text


def test_each_kind_of_results_has_a_place_of_its_own(tmp_path: Path) -> None:
    page = tmp_path / "PERFORMANCE.md"
    page.write_text(PLACE)
    save(replace(results(), mode="overload"), tmp_path)

    document(page, tmp_path)

    text, (begin, _) = page.read_text(), marks("overload")
    assert f"{begin}\n`overload` began at 2026-01-01" in text
    assert text.count("as it was") == len(PLACES) - 1


def test_without_results_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(NoResults):
        document(DOCUMENT, tmp_path)


def test_our_own_page_has_the_place_to_fill() -> None:
    text = DOCUMENT.read_text()

    for begin, end in map(marks, PLACES):
        assert text.count(begin) == text.count(end) == 1
        assert text.index(begin) < text.index(end)


def test_our_own_page_has_the_limits_of_the_code() -> None:
    rows = [line.strip("| ").split(" | ") for line in DOCUMENT.read_text().splitlines()]
    shown = {row[0]: row[1:3] for row in rows if len(row) == 6}

    of_the_page = [figure for figure in FIGURES if figure.name in shown]
    assert of_the_page  # others have not been measured yet
    for figure in of_the_page:
        assert shown[figure.name] == [figure.asked(figure.limit), figure.asked(figure.aim)]
