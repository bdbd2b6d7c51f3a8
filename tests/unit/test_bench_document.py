"""The page about performance: filled from the fullest results there are, by one command."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.document import (
    BEGIN,
    DOCUMENT,
    END,
    OVERLOAD_BEGIN,
    OVERLOAD_END,
    NoResults,
    document,
)
from bench.figures import FIGURES
from bench.results import Point, save
from tests.unit.bench_runs import results, run

RUNS = [run(Point("ours", connections), 0, 1000.0 + connections) for connections in (1, 64)]


def test_the_page_is_filled_again_with_each_new_run(tmp_path: Path) -> None:
    page = tmp_path / "PERFORMANCE.md"
    page.write_text(f"Before.\n{BEGIN}\n{END}\nAfter.\n")
    save(results(*RUNS[:1]), tmp_path)
    assert document(page, tmp_path) == [page]  # one point is no line to draw
    save(results(*RUNS), tmp_path)

    written = document(page, tmp_path)

    assert written == [page, tmp_path / "performance.png"]
    assert written[1].read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert text.startswith(f"Before.\n{BEGIN}\n`bench` began at 2026-01-01")
    assert text.endswith(f"{END}\nAfter.\n")
    assert "](performance.png)" in text
    assert text.count("| ours, 64 connections | 1,064 |") == 1


def test_an_overload_has_a_place_of_its_own(tmp_path: Path) -> None:
    page = tmp_path / "PERFORMANCE.md"
    page.write_text(f"{BEGIN}\nas it was\n{END}\n{OVERLOAD_BEGIN}\n{OVERLOAD_END}\n")
    save(replace(results(), mode="overload"), tmp_path)

    assert document(page, tmp_path) == [page]

    text = page.read_text()
    assert text.startswith(
        f"{BEGIN}\nas it was\n{END}\n{OVERLOAD_BEGIN}\n`overload` began at 2026-01-01"
    )


def test_without_results_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(NoResults):
        document(DOCUMENT, tmp_path)


def test_our_own_page_has_the_place_to_fill() -> None:
    text = DOCUMENT.read_text()

    for begin, end in ((BEGIN, END), (OVERLOAD_BEGIN, OVERLOAD_END)):
        assert text.count(begin) == text.count(end) == 1
        assert text.index(begin) < text.index(end)


def test_our_own_page_has_the_limits_of_the_code() -> None:
    rows = [line.strip("| ").split(" | ") for line in DOCUMENT.read_text().splitlines()]
    shown = {row[0]: row[1:3] for row in rows if len(row) == 6}

    of_the_page = [figure for figure in FIGURES if figure.name in shown]
    assert len(of_the_page) > len(FIGURES) / 2  # some have not been measured yet
    for figure in of_the_page:
        assert shown[figure.name] == [figure.asked(figure.limit), figure.asked(figure.aim)]
