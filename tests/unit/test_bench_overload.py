"""Requests of an overload are counted from when they were due, second by second."""

import math
from pathlib import Path

import pytest

from bench.figures import figures
from bench.load import GOOD, TRY_LATER, UNANSWERED, LoadFailed, Sent, latency_of
from bench.results import load, save
from bench.seconds import Overload, normal_after, span
from bench.table import tables
from tests.unit.bench_runs import results

FAST, SLOW = 0.01, 1.5


def sent(*halves: tuple[int, float]) -> Sent:
    """Ten requests per half second, all with this code, answered after so many seconds."""
    due = [half / 2 + n / 20 for half in range(len(halves)) for n in range(10)]
    found = Sent.none_of(len(due), due)
    for number in range(len(found.due)):
        found.kinds[number], found.took[number] = halves[number // 10]
        found.left[number] = 0.0
    return found


def test_a_request_counts_in_the_second_in_which_it_was_due() -> None:
    second = span(sent((GOOD, FAST), (GOOD, SLOW), (TRY_LATER, FAST), (0, FAST)), 0.5, 1.5)

    assert (second.offered, second.sent) == (20, 20)
    assert (second.of(GOOD), second.of(TRY_LATER), second.of(0), second.others) == (10, 10, 0, 0)
    assert second.good == pytest.approx((SLOW * 1000,) * 4)
    assert second.refused == pytest.approx((FAST * 1000,) * 4)


def test_what_was_never_sent_was_offered_all_the_same() -> None:
    found = sent((GOOD, FAST))
    found.left[9], found.kinds[9] = -1.0, UNANSWERED

    second = span(found, 0, 1)

    assert (second.offered, second.sent, second.others) == (10, 9, 1)
    assert second.codes == {"1": 9, "unanswered": 1}


def test_it_is_normal_again_once_every_answer_is_good_and_as_fast_as_before() -> None:
    calm = [(GOOD, FAST)] * 4
    late, bad, good = (GOOD, SLOW), (TRY_LATER, FAST), (GOOD, FAST)

    for after, seconds in (
        ([good] * 4, 0.0),
        ([late, late, good, good], 1.0),
        ([late, bad, late, good], 1.5),
        ([good, good, bad, good], 1.5),
        ([good, bad, late, good], 1.5),
        ([good, late, good, good], 0.0),  # one slow half second of a calm time is no overload
        ([late] * 4, float("inf")),
        ([good, good, good, bad], float("inf")),
    ):
        found = sent(*calm, *after)
        assert normal_after(found, span(found, 0, 2), 2.0) == seconds, after


def test_a_percentile_is_the_least_time_that_so_many_do_not_exceed() -> None:
    times = [number / 1000 for number in range(1, 101)]

    assert latency_of(times) == pytest.approx((50, 90, 99, 100))
    assert all(math.isnan(value) for value in latency_of([]))


def test_what_was_not_answered_well_took_until_the_end() -> None:
    found = sent((GOOD, FAST), (TRY_LATER, FAST))

    load = found.summary()

    assert (load.good, load.bad, load.failed) == (10, {"99": 10}, 10)
    assert load.seconds == pytest.approx(0.95 + FAST)
    assert load.latency.p50 == pytest.approx(FAST * 1000)
    assert load.latency.max == pytest.approx((0.45 + FAST) * 1000)
    with pytest.raises(LoadFailed, match="99"):
        sent((TRY_LATER, FAST)).summary()


def test_an_overload_is_judged_shown_and_read_back(tmp_path: Path) -> None:
    found = sent((GOOD, FAST), (GOOD, FAST), (TRY_LATER, 0.06), (0, FAST), (GOOD, FAST))
    calm, over, after = (span(found, begin, begin + 1) for begin in (0.0, 1.0, 2.0))
    overload = Overload(
        0, [110.0, 90.0], 85.0, calm, over, after, [calm, over], 2.5, 9, 40.0, 0.0, 0.0
    )
    made = results()
    made = load(save(type(made)(**(vars(made) | {"overloads": [overload]})), tmp_path))

    assert repr(made.overloads) == repr([overload])  # NaN is not equal to itself
    assert overload.offered_share == pytest.approx(0.2)
    judged = {figure.name: figure.verdict(value.median) for figure, value in figures(made)}
    assert judged == {
        "overload: served, of the capacity": "short",
        "overload: p99 of a refusal": "short",
        "overload: neither done nor refused": "short",
        "normal after an overload": "short",
    }
    table = list(tables(made))[-1]
    assert [row[0] for row in table.rows] == ["1. before", "1. overload", "1. after"]
    assert table.rows[1][1:3] == ("0.20", "0")
