"""Figures from runs of the benchmark: medians, ratios run by run, stolen time, verdicts."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.figures import FIGURES, figures
from bench.load import Latency
from bench.plan import THIS
from bench.results import (
    Point,
    Results,
    Spread,
    figure_of,
    kept,
    load,
    ratio_of,
    save,
    spread,
)
from bench.table import tables
from tests.unit.bench_runs import DIRECT, OURS, results, run


def pairs(*rates: tuple[float, float], steal: Sequence[float] = ()) -> Results:
    """Runs of ours and of direct, repeat by repeat. `steal` is the stolen time of ours."""
    stolen = [*steal, *[0.0] * len(rates)]
    runs = [
        one
        for repeat, (ours, direct) in enumerate(rates)
        for one in (run(OURS, repeat, ours, stolen[repeat]), run(DIRECT, repeat, direct))
    ]
    return results(*runs)


def ratio(found: Results) -> Spread | None:
    """The ratio of ours to direct."""
    return ratio_of(found, OURS, DIRECT, lambda one: one.load.per_second)


def test_a_ratio_is_the_median_of_the_ratios_run_by_run() -> None:
    # 2, 4 and 3; the ratio of the medians would be 200 / 100 = 2.
    found = ratio(pairs((200, 100), (400, 100), (150, 50)))

    assert found == Spread(3.0, 2.0, 4.0, 3)


def test_runs_of_different_repeats_are_not_compared() -> None:
    found = ratio(results(run(OURS, 0, 200), run(DIRECT, 1, 100)))

    assert found is None


def test_a_run_with_stolen_time_is_dropped_while_three_others_remain() -> None:
    rates = [run(OURS, repeat, 100, steal) for repeat, steal in enumerate((0.2, 0, 0.06, 0, 0))]

    assert [one.repeat for one in kept(rates)] == [1, 3, 4]


def test_the_worst_is_dropped_first_and_three_are_always_kept() -> None:
    rates = [run(OURS, repeat, 100, steal) for repeat, steal in enumerate((0.1, 0.3, 0.2, 0.4))]

    assert [one.repeat for one in kept(rates)] == [0, 1, 2]
    assert all(one.stolen for one in kept(rates))


def test_a_pair_is_dropped_when_one_of_its_runs_had_time_stolen() -> None:
    found = ratio(pairs((900, 100), (200, 100), (200, 100), (200, 100), steal=(0.5,)))

    assert found == Spread(2.0, 2.0, 2.0, 3)


def test_a_figure_is_the_median_of_what_was_kept() -> None:
    found = figure_of(pairs((1, 1), (5, 1), (3, 1)), OURS, lambda one: one.load.per_second)

    assert found == Spread(3.0, 1.0, 5.0, 3)
    assert spread([]) is None


def test_more_is_judged_upwards_and_less_downwards() -> None:
    named = {figure.name: figure for figure in FIGURES}
    faster = named["ours / direct, 64 connections"]
    cpu = named["CPU per bet, ours / tuned direct"]

    assert [faster.verdict(value) for value in (2.49, 2.5, 3.3)] == ["short", "ok", "aim"]
    assert [cpu.verdict(value) for value in (0.46, 0.45, 0.37)] == ["short", "ok", "aim"]


def test_only_what_was_measured_is_in_the_table() -> None:
    found = pairs((300, 100), (300, 100), (300, 100))

    assert [figure.name for figure, _ in figures(found)] == [
        "ours / direct, 64 connections",
        "Redis commands per bet, 64 connections",
        "Redis's log per bet, 64 connections",
    ]
    first = next(iter(tables(found)))
    assert first.rows[0][:4] == ("ours / direct, 64 connections", "≥ 2.5 ×", "≥ 3.3 ×", "3 ×")
    assert [row[-1] for row in first.rows] == ["ok", *["ok, aim reached"] * 2]
    assert first.text().splitlines()[1].startswith("figure ")
    assert first.markdown().splitlines()[3] == "| --- | ---: | ---: | ---: | ---: | ---: |"


def test_this_tree_is_compared_with_the_revision_of_the_same_repeat() -> None:
    before, this = Point("abc1234", 64), Point(THIS, 64)
    rates = ((100, 150), (200, 500), (100, 400))
    runs = [
        run(point, repeat, rate)
        for repeat, both in enumerate(rates)
        for point, rate in zip((before, this), both, strict=True)
    ]

    [change, *_] = tables(replace(results(*runs), before="abc1234"))

    assert change.header == ("figure", "abc1234", THIS, "this / before", "from-to")
    assert change.rows[0] == ("bets per second, 64 connections", "100", "400", "2.5", "1.5-4")


def test_equal_rates_are_judged_where_ours_compares_worst() -> None:
    runs = []
    for percent, ratio_there in ((25, 1.5), (50, 3.0), (75, 2.0)):
        theirs = Point("tuned-direct", 16, percent=percent, of="tuned-direct")
        slow = run(replace(theirs, contender="ours"), 0, 100)
        latency = Latency(ratio_there, 2.0, 3.0 * ratio_there, 4.0)
        runs += [run(theirs, 0, 100), replace(slow, load=replace(slow.load, latency=latency))]

    found = {figure.name: value.median for figure, value in figures(results(*runs))}

    assert found["equal rate: p50, ours / tuned direct"] == pytest.approx(3)
    assert found["equal rate: p99, ours / tuned direct"] == pytest.approx(3)
    assert found["equal rate: CPU per bet, ours / tuned direct"] == pytest.approx(1)


def test_a_log_that_was_rewritten_meanwhile_says_nothing() -> None:
    assert spread([math.nan, 2.0, 4.0]) == Spread(3.0, 2.0, 4.0, 2)
    assert spread([math.nan]) is None


def test_what_two_of_each_lose_is_never_less_than_nothing() -> None:
    twice = Point("ours-2x2", 64)
    runs = [run(OURS, 0, 100), run(twice, 0, 90), run(OURS, 1, 100), run(twice, 1, 120)]
    lost = {figure.name: found for figure, found in figures(results(*runs))}

    assert lost["two gateways + two workers: lost"] == pytest.approx((0, 0, 10, 2))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    found = pairs((300, 100))

    again = load(save(found, tmp_path))

    assert again.of(OURS) == found.of(OURS)
    assert ratio(again) == ratio(found)


def test_what_others_took_is_what_is_neither_idle_nor_stolen_nor_ours() -> None:
    # Of 20 s, 20 % were stolen, 1 s was the load's, and 1,000 bets took 385 microseconds each.
    assert run(OURS, 0, 100, steal=0.2).others == pytest.approx(0.8 - 1.385 / 20)
