"""A throttle passes a few messages per window, and counts the rest."""

import logging

from logs.throttle import Throttle
from logs.warning_throttle import WarningThrottle


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_of_a_window_pass_and_the_rest_are_counted_once() -> None:
    clock = Clock()
    throttle: Throttle[str] = Throttle(10, clock)

    passed = [throttle.lets("a", 3) for _ in range(1000)]
    assert passed == [True] * 3 + [False] * 997
    assert throttle.ended() == []
    clock.now += 10

    assert throttle.ended() == [("a", 997)]
    assert throttle.ended() == throttle.ended(everything=True) == []


def test_each_key_has_a_window_of_its_own() -> None:
    clock = Clock()
    throttle: Throttle[str] = Throttle(10, clock)
    assert [throttle.lets("a", 1) for _ in range(3)] == [True, False, False]
    clock.now += 6
    assert [throttle.lets("b", 2) for _ in range(3)] == [True, True, False]
    clock.now += 4

    assert throttle.ended() == [("a", 2)]
    assert throttle.ended(everything=True) == [("b", 1)]


def test_what_was_not_told_when_the_next_window_begins_is_told_with_it() -> None:
    clock = Clock()
    throttle: Throttle[str] = Throttle(10, clock)
    throttle.lets("a", 1)
    throttle.lets("a", 1)
    clock.now += 11

    assert throttle.lets("a", 1)
    throttle.skip("a", 5)
    throttle.skip("b", 7)

    assert throttle.ended(everything=True) == [("a", 6), ("b", 7)]


def test_what_was_all_said_is_forgotten_and_not_counted() -> None:
    clock = Clock()
    throttle: Throttle[str] = Throttle(10, clock)
    throttle.lets("a", 1)
    clock.now += 10

    assert throttle.ended() == []
    assert throttle.lets("a", 1)


def test_a_complaint_passes_once_in_a_while_by_its_text_and_all_else_passes() -> None:
    def record(level: int, text: str, value: int) -> logging.LogRecord:
        return logging.LogRecord("of.a.test", level, "", 0, text, (value,), None)

    seldom = WarningThrottle()

    assert [seldom.filter(record(logging.WARNING, "%d wait", n)) for n in range(3)] == [True] + [
        False
    ] * 2
    assert seldom.filter(record(logging.WARNING, "%d went", 1))
    assert all(seldom.filter(record(logging.INFO, "%d wait", n)) for n in range(3))
    assert all(seldom.filter(record(logging.ERROR, "%d wait", n)) for n in range(3))
