"""What each mode of the benchmark runs, and in which order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.results import Point

Mode = Literal["quick", "bench", "long", "rates", "queue", "growth", "overload", "against"]

THIS = "this tree"  # compared with a revision of itself
PERCENTS = (25, 50, 75)  # of a contender's capacity
RATES_OF = ("sql-function", "tuned-direct")  # the contenders whose capacity that is
_NEAREST = ("ours", "tuned-direct")
_CONTENDERS = ("ours", "stock-rq", "direct", "sql-function", "tuned-direct")


@dataclass(frozen=True)
class Visit:
    """A contender, started once for points that are measured one after the other."""

    contender: str
    points: Sequence[Point]
    appendfsync: str = "everysec"


@dataclass(frozen=True)
class Course:
    """What is around an overload: how long each part takes, in seconds."""

    capacity: int = 20  # to find out what can be done, before all the rest and once more after it
    calm: int = 10  # at half of that, before
    after: int = 10


@dataclass(frozen=True)
class Plan:
    """Visits, made one after the other and that all over again: A B C A B C."""

    mode: Mode
    repeats: int
    seconds: int  # of a run
    visits: Sequence[Visit]
    settles_in: bool = True  # by a run of the first point that is not counted
    postgres_alone: bool = False  # PostgreSQL with one statement a transaction
    queue_alone: bool = False  # what one Redis carries
    growth_and_memory: bool = False  # ten million bets, and Redis after 200,000
    overload: Course | None = None  # of `seconds`


def plan_of(mode: Mode, seconds: int | None = None, only: Sequence[str] = ()) -> Plan:
    """The plan of a mode, with runs of so many seconds, for some contenders only."""
    plan = _PLANS[mode]()
    visits = [visit for visit in plan.visits if not only or visit.contender in only]
    return replace(plan, visits=visits, seconds=seconds or plan.seconds)


def _quick() -> Plan:
    visits = [Visit(name, [Point(name, 64)]) for name in _CONTENDERS]
    return Plan("quick", repeats=2, seconds=4, visits=visits)


def _bench() -> Plan:
    connections = {
        "ours": (1, 64, 128),
        "stock-rq": (64,),
        "direct": (1, 64),
        "sql-function": (1, 64),
        "tuned-direct": (64, 128),
    }
    visits = _visits(connections, hot=_NEAREST, mix=_NEAREST)
    return Plan("bench", repeats=3, seconds=5, visits=visits, postgres_alone=True)


def _long() -> Plan:
    connections = dict.fromkeys(_CONTENDERS, (1, 16, 64, 128, 256))
    visits = _visits(connections, hot=_CONTENDERS, mix=_CONTENDERS)
    always = [
        Visit(name, [Point(name, 64, appendfsync="always")], "always")
        for name in ("ours", "stock-rq", "direct")
    ]
    forking = Visit("stock-rq-default", [Point("stock-rq-default", 4)])
    return Plan(
        "long",
        repeats=3,
        seconds=8,
        visits=[*visits, *_equal_rates(), *always, forking],
        postgres_alone=True,
        queue_alone=True,
        growth_and_memory=True,
    )


def _rates() -> Plan:
    capacities = [Visit(name, [Point(name, 64)]) for name in RATES_OF]
    return Plan("rates", repeats=3, seconds=5, visits=[*capacities, *_equal_rates()])


def _queue() -> Plan:
    return Plan("queue", repeats=3, seconds=5, visits=[], queue_alone=True)


def _growth() -> Plan:
    return Plan("growth", repeats=3, seconds=5, visits=[], growth_and_memory=True)


def _overload() -> Plan:
    return Plan("overload", repeats=3, seconds=60, visits=[], overload=Course())


def _against() -> Plan:
    points = [Point(THIS, 64), Point(THIS, 1)]
    return Plan("against", repeats=5, seconds=5, visits=[Visit(THIS, points)])


_PLANS: dict[Mode, Callable[[], Plan]] = {
    "quick": _quick,
    "bench": _bench,
    "long": _long,
    "rates": _rates,
    "queue": _queue,
    "growth": _growth,
    "overload": _overload,
    "against": _against,
}


def _visits(
    connections: Mapping[str, Sequence[int]], hot: Sequence[str], mix: Sequence[str]
) -> list[Visit]:
    visits = []
    for name, counts in connections.items():
        points = [Point(name, count) for count in counts]
        points += [Point(name, 16, players="hot")] if name in hot else []
        points += [Point(name, 64, calls="mix")] if name in mix else []
        visits.append(Visit(name, points))
    # Beside ours, with which it is compared.
    return [visits[0], Visit("ours-2x2", [Point("ours-2x2", 64)]), *visits[1:]]


def _equal_rates() -> list[Visit]:
    """The same rates for every contender. Their capacities were measured earlier in the repeat."""
    return [
        Visit(
            name,
            [Point(name, 16, percent=percent, of=of) for of in RATES_OF for percent in PERCENTS],
        )
        for name in _CONTENDERS
        if name != "stock-rq"
    ]
