"""More than can be done: half of our capacity, then one and a half of it, then half again."""

import logging
import time
from collections.abc import Iterator

from bench.contender import Running
from bench.load import GOOD, Sent, evenly
from bench.plan import Course
from bench.results import Point
from bench.rounds import Rounds
from bench.seconds import Overload, normal_after, span
from bench.traffic import sign_traffic

_log = logging.getLogger("bench")

_CLOSED = Point("ours", 128)
_OPEN = Point("ours", 8_192)  # at most; thousands are under way
_CALM_SHARE, _OVER_SHARE = 0.5, 1.5  # of what a closed loop got just before
_SIGNED_PER_SECOND = 40_000  # at least, or what is sent is stamped a little early


def measure_overload(rounds: Rounds, repeats: int, course: Course) -> Iterator[Overload]:
    """Overload ours so many times, each time started afresh. Raises AuditFailed, LoadFailed."""
    with rounds.started(_CLOSED.contender) as running:  # as `Rounds.settle_in`
        rounds.closed_loop(_CLOSED, running, course.capacity)
    for repeat in range(repeats):
        with rounds.started(_CLOSED.contender) as running:
            rounds.closed_loop(_CLOSED, running, 1)
            overload = _overload(rounds, running, repeat, course)
        _log.info("%s", _in_words(overload))
        yield overload


def _capacity(rounds: Rounds, running: Running, course: Course) -> float:
    """Good answers a second of a closed loop."""
    sent, _ = rounds.closed_loop(_CLOSED, running, course.capacity)
    return sent.summary().per_second


def _overload(rounds: Rounds, running: Running, repeat: int, course: Course) -> Overload:
    first = _capacity(rounds, running, course)
    calm, over, after = (
        (_CALM_SHARE * first, course.calm),
        (_OVER_SHARE * first, rounds.seconds),
        (_CALM_SHARE * first, course.after),
    )
    due = [*evenly(*calm), *evenly(*over, calm[1]), *evenly(*after, calm[1] + over[1])]
    lead = len(due) / _SIGNED_PER_SECOND + 0.5
    starts, begin = time.time() + lead, time.monotonic() + lead
    requests = sign_traffic(rounds.people, len(due), at=[starts + one for one in due])
    sent, cost = rounds.send(_OPEN, running, requests, due=due, begin=begin)
    ours = cost.cpu_us * sent.good / 1e6 + sent.cpu_seconds
    last = _capacity(rounds, running, course)
    begins, ends = course.calm, course.calm + rounds.seconds
    # The first second of all is for connections to be opened.
    before = span(sent, 1, begins)
    return Overload(
        repeat=repeat,
        capacities=[first, last],
        served=_answered_well(sent, begins, ends) / rounds.seconds,
        calm=before,
        over=span(sent, begins, ends),
        after=span(sent, ends, ends + course.after),
        seconds=[span(sent, at, at + 1) for at in range(ends + course.after)],
        normal_after_seconds=normal_after(sent, before, ends),
        connections=sent.connections,
        generator_cpu_us=sent.cpu_seconds / len(due) * 1e6,
        steal=cost.steal,
        others=max(0.0, 1 - cost.idle - cost.steal - ours / cost.machine_seconds),
    )


def _answered_well(sent: Sent, begin: float, end: float) -> int:
    return sum(
        kind == GOOD and begin <= due + took < end
        for kind, due, took in zip(sent.kinds, sent.due, sent.took, strict=True)
    )


def _in_words(one: Overload) -> str:
    refused = one.over.refused
    parts = [
        f"{one.repeat + 1}. overload: {one.served:,.0f} a second served of {one.capacity:,.0f}",
        f"{one.offered_share:.2f} times the capacity sent",
        f"refused p50 {refused.p50:.1f} ms, p99 {refused.p99:.1f} ms",
        f"{one.over.others} others",
        f"normal after {one.normal_after_seconds:.1f} s",
        f"stolen {one.steal:.1%}, to other processes {one.others:.1%}",
    ]
    return "; ".join(parts)
