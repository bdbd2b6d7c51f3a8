"""The figures that the benchmark must reach, each with how it is computed from the runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Literal

from bench.growth import STORED
from bench.plan import PERCENTS, THIS
from bench.results import Point, Results, Run, Spread, figure_of, ratio_of, spread
from bench.seconds import Overload

Verdict = Literal["aim", "ok", "short"]
Compute = Callable[[Results], Spread | None]

PER_SECOND: Callable[[Run], float] = attrgetter("load.per_second")
P50: Callable[[Run], float] = attrgetter("load.latency.p50")
P99: Callable[[Run], float] = attrgetter("load.latency.p99")
CPU: Callable[[Run], float] = attrgetter("cost.cpu_us")
REDIS_CPU: Callable[[Run], float] = attrgetter("cost.redis_cpu_us")
REDIS_COMMANDS: Callable[[Run], float] = attrgetter("cost.redis_commands")
REDIS_LOG: Callable[[Run], float] = attrgetter("cost.redis_log_bytes_per_bet")
LEAST, MOST = "≥", "≤"


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
        return f"{self.asks} {value:g} {self.unit}".rstrip()

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


def _to(under: str, connections: int, value: Callable[[Run], float] = PER_SECOND) -> Compute:
    """Ours to a rival's."""
    return _ratio(Point("ours", connections), Point(under, connections), value)


def _equal_rate(under: str, of: str, value: Callable[[Run], float]) -> Compute:
    """Ours to a rival's, at the share of a capacity at which that is most."""

    def compute(results: Results) -> Spread | None:
        ours = [Point("ours", 16, percent=percent, of=of) for percent in PERCENTS]
        theirs = [replace(point, contender=under) for point in ours]
        ratios = map(partial(ratio_of, results, value=value), ours, theirs)
        return max((ratio for ratio in ratios if ratio), default=None)

    return compute


def _ours(connections: int, value: Callable[[Run], float]) -> Compute:
    return lambda results: figure_of(results, Point("ours", connections), value)


def _over_postgres_alone(results: Results) -> Spread | None:
    alone = results.postgres_alone
    counted = [run for run in results.kept(Point("ours", 128)) if run.repeat < len(alone)]
    return spread(PER_SECOND(run) / alone[run.repeat] for run in counted)


def _redis_cpu(results: Results) -> Spread | None:
    before, this = Point(results.before, 64), Point(THIS, 64)
    return ratio_of(results, this, before, REDIS_CPU)


def _growth(results: Results) -> Spread | None:
    few, many = (results.growth.get(str(stored), ()) for stored in STORED)
    return spread(after / before for before, after in zip(few, many, strict=True))


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


_HOT = (Point("ours", 16, players="hot"), Point("tuned-direct", 16, players="hot"))
_MIX = (Point("ours", 64, calls="mix"), Point("tuned-direct", 64, calls="mix"))
_SERVED = _overload(lambda one: one.served_share * 100)
_REFUSED = _overload(lambda one: one.over.refused.p99)
_OTHERS = _overload(lambda one: sum(second.others for second in one.seconds))
_NORMAL = _overload(lambda one: one.normal_after_seconds)
_TUNED, _SQL, _DIRECT = "tuned-direct", "sql-function", "direct"

_EQUAL_RATE = tuple(
    Figure(f"equal rate: {name}, ours / {rival}", limit, aim, _equal_rate(under, of, value), MOST)
    for rival, under, of, name, value, limit, aim in (
        ("tuned direct", _TUNED, _TUNED, "p50", P50, 2.0, 1.4),
        ("tuned direct", _TUNED, _TUNED, "p99", P99, 2.0, 1.4),
        ("tuned direct", _TUNED, _TUNED, "CPU per bet", CPU, 1.4, 1.1),
        (_SQL, _SQL, _SQL, "p50", P50, 1.0, 0.8),
        (_SQL, _SQL, _SQL, "p99", P99, 1.0, 0.8),
        (_DIRECT, _DIRECT, _SQL, "p50", P50, 1.0, 0.8),
        (_DIRECT, _DIRECT, _SQL, "p99", P99, 1.0, 0.8),
    )
)

FIGURES = (
    Figure("ours / stock RQ, 64 connections", 18, 24, _to("stock-rq", 64)),
    Figure("ours / direct, 64 connections", 2.5, 3.3, _to(_DIRECT, 64)),
    Figure("ours / sql-function, 64 connections", 2.0, 3.0, _to(_SQL, 64)),
    Figure("ours / tuned direct, 64 connections", 2.2, 2.8, _to(_TUNED, 64)),
    Figure("ours / tuned direct, 128 connections", 2.2, 2.8, _to(_TUNED, 128)),
    Figure("ours / tuned direct, mix of calls", 2.0, 2.5, _ratio(*_MIX)),
    Figure("hot player: ours / tuned direct", 2.0, 3.0, _ratio(*_HOT)),
    Figure("ours / PostgreSQL alone, 128 connections", 0.7, 1.0, _over_postgres_alone),
    Figure("CPU per bet, ours / tuned direct", 0.45, 0.37, _to(_TUNED, 64, CPU), MOST),
    Figure("p50, ours / direct, 1 connection", 1.0, 0.8, _to(_DIRECT, 1, P50), MOST),
    Figure("CPU per bet, ours / direct, 1 connection", 1.0, 0.8, _to(_DIRECT, 1, CPU), MOST),
    *_EQUAL_RATE,
    Figure("Redis commands per bet, 64 connections", 7, 5, _ours(64, REDIS_COMMANDS), MOST, ""),
    Figure("Redis commands per bet, 1 connection", 30, 20, _ours(1, REDIS_COMMANDS), MOST, ""),
    Figure("Redis's log per bet, 64 connections", 1500, 1100, _ours(64, REDIS_LOG), MOST, "bytes"),
    Figure("Redis's CPU per bet, this / before", 0.5, 0.35, _redis_cpu, MOST),
    Figure("Redis after 200,000 bets", 200, 60, _memory, MOST, "MB"),
    Figure("two gateways + two workers: lost", 10, 0, _lost, MOST, "%"),
    Figure("CPU per bet, 10 million / 10 thousand", 1.05, 1.0, _growth, MOST),
    Figure("overload: served, of the capacity", 90, 95, _SERVED, LEAST, "%"),
    Figure("overload: p99 of a refusal", 30, 25, _REFUSED, MOST, "ms"),
    Figure("overload: neither done nor refused", 0, 0, _OTHERS, MOST, "requests"),
    Figure("normal after an overload", 2, 1, _NORMAL, MOST, "s"),
)
