"""The figures that the benchmark must reach, each with how it is computed from the runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from bench.growth import STORED
from bench.results import Point, Results, Run, Spread, figure_of, ratio_of, spread
from bench.seconds import Overload

Verdict = Literal["aim", "ok", "short"]
Compute = Callable[[Results], Spread | None]

PER_SECOND: Callable[[Run], float] = attrgetter("load.per_second")
P50: Callable[[Run], float] = attrgetter("load.latency.p50")
P99: Callable[[Run], float] = attrgetter("load.latency.p99")
LEAST, MOST = "≥", "≤"
ONE_STATEMENT = "one statement"  # the name of PostgreSQL alone in `Results.postgres_alone`


@dataclass(frozen=True)
class Figure:
    """A row of the table."""

    name: str
    limit: float
    aim: float
    compute: Compute  # None: the benchmark did not look at it
    asks: str = LEAST  # at least the limit, or at most
    unit: str = "×"

    def asked(self, value: float) -> str:
        """The limit or the aim as a document shows it."""
        return f"{self.asks} {value:g} {self.unit}"

    def verdict(self, value: float) -> Verdict:
        """How a measured value compares with what is asked."""
        sign = -1 if self.asks == MOST else 1
        if value * sign >= self.aim * sign:
            return "aim"
        return "ok" if value * sign >= self.limit * sign else "short"


def figures(results: Results) -> Iterator[tuple[Figure, Spread]]:
    """Those figures that these results say something about."""
    for figure in FIGURES:
        if found := figure.compute(results):
            yield figure, found


def _ratio(over: Point, under: Point, value: Callable[[Run], float] = PER_SECOND) -> Compute:
    return lambda results: ratio_of(results, over, under, value)


def _faster(under: str, connections: int) -> Compute:
    return _ratio(Point("ours", connections), Point(under, connections))


def _over_postgres_alone(results: Results) -> Spread | None:
    alone = results.postgres_alone.get(ONE_STATEMENT, ())
    counted = [run for run in results.kept(Point("ours", 128)) if run.repeat < len(alone)]
    return spread(PER_SECOND(run) / alone[run.repeat] for run in counted)


def _tail(results: Results) -> Spread | None:
    point = Point("ours", 64, open_loop=True)
    return figure_of(results, point, lambda run: run.load.latency.p99 / run.load.latency.p50)


def _growth(results: Results) -> Spread | None:
    few, many = (results.growth.get(str(stored), ()) for stored in STORED)
    return spread(after / before for before, after in zip(few, many, strict=True))


def _cpu(results: Results) -> Spread | None:
    return figure_of(results, Point("ours", 64), lambda run: run.cost.cpu_us)


def _journal(results: Results) -> Spread | None:
    cpu = _cpu(results)
    return spread(cost / cpu.median * 100 for cost in results.journal) if cpu else None


def _lost(results: Results) -> Spread | None:
    kept_up = ratio_of(results, Point("ours-2x2", 64), Point("ours", 64), PER_SECOND)
    if kept_up is None:
        return None
    lost = [max(0.0, 1 - value) * 100 for value in kept_up[:3]]
    return Spread(lost[0], lost[2], lost[1], kept_up.runs)


def _memory(results: Results) -> Spread | None:
    return spread([] if results.redis_memory_mb is None else [results.redis_memory_mb])


def _overload(value: Callable[[Overload], float]) -> Compute:
    return lambda results: spread(map(value, results.overloads))


_ALONE = (Point("ours", 1), Point("direct", 1))
_HOT = (Point("ours", 16, players="hot"), Point("tuned-direct", 16, players="hot"))
_SERVED = _overload(lambda one: one.served_share * 100)
_REFUSED = _overload(lambda one: one.over.refused.p99 if one.over.refused else 0.0)
_OTHERS = _overload(lambda one: sum(second.others for second in one.seconds))
_NORMAL = _overload(lambda one: one.normal_after_seconds)

FIGURES = (
    Figure("ours / stock RQ, 64 connections", 15, 24, _faster("stock-rq", 64)),
    Figure("ours / direct, 64 connections", 2.5, 3.3, _faster("direct", 64)),
    Figure("ours / direct, 128 connections", 3.0, 4.0, _faster("direct", 128)),
    Figure("ours / sql-function, 64 connections", 2.0, 3.0, _faster("sql-function", 64)),
    Figure("ours / tuned direct, 64 connections", 1.8, 2.8, _faster("tuned-direct", 64)),
    Figure("ours / tuned direct, 128 connections", 2.0, 3.0, _faster("tuned-direct", 128)),
    Figure("ours / PostgreSQL alone, 128 connections", 0.7, 1.0, _over_postgres_alone),
    Figure("ours p50 / direct p50, 1 connection", 2.0, 1.5, _ratio(*_ALONE, P50), MOST),
    Figure("ours p99 / p50, open loop at 70 %", 4.0, 2.5, _tail, MOST),
    Figure("hot player: ours / tuned direct", 1.2, 2.0, _ratio(*_HOT)),
    Figure("CPU per bet, 10 million / 10 thousand", 1.25, 1.05, _growth, MOST),
    Figure("CPU per bet, whole stack", 600, 410, _cpu, MOST, "µs"),
    Figure("journal, of the CPU per bet", 3, 3, _journal, MOST, "%"),
    Figure("two gateways + two workers: lost", 20, 0, _lost, MOST, "%"),
    Figure("Redis after 200,000 bets", 200, 60, _memory, MOST, "MB"),
    Figure("overload: served, of the capacity", 80, 90, _SERVED, LEAST, "%"),
    Figure("overload: p99 of a refusal", 50, 25, _REFUSED, MOST, "ms"),
    Figure("overload: neither done nor refused", 0, 0, _OTHERS, MOST, "requests"),
    Figure("normal after an overload", 2, 1, _NORMAL, MOST, "s"),
)
