"""What each mode of the benchmark runs, and in which order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.results import Point

Mode = Literal["quick", "bench", "long", "overload", "against"]

THIS = "this tree"  # compared with a revision of itself


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
    postgres_alone: bool = False  # PostgreSQL with one statement a transaction, and with batches
    growth_and_memory: bool = False  # ten million bets, and Redis after 200,000
    overload: Course | None = None  # of `seconds`


def plan_of(mode: Mode, seconds: int | None = None, only: Sequence[str] = ()) -> Plan:
    """The plan of a mode, with runs of so many seconds, for some contenders only."""
    plan = _PLANS[mode]()
    visits = [visit for visit in plan.visits if not only or visit.contender in only]
    return replace(plan, visits=visits, seconds=seconds or plan.seconds)


def _quick() -> Plan:
    contenders = ("ours", "stock-rq", "direct", "sql-function", "tuned-direct")
    visits = [Visit(name, [Point(name, 64)]) for name in contenders]
    return Plan("quick", repeats=2, seconds=4, visits=visits)


def _bench() -> Plan:
    connections = {
        "ours": (1, 64, 128),
        "stock-rq": (64, 128),
        "direct": (1, 64, 128),
        "sql-function": (1, 64, 128),
        "tuned-direct": (64, 128),
    }
    hot = ("ours", "direct", "tuned-direct")
    return Plan(
        "bench", repeats=3, seconds=5, visits=_visits(connections, hot), postgres_alone=True
    )


def _long() -> Plan:
    contenders = ("ours", "stock-rq", "direct", "sql-function", "tuned-direct")
    connections = dict.fromkeys(contenders, (1, 16, 64, 128, 256))
    visits = _visits(connections, contenders, mix_and_open_loop=True)
    always = [
        Visit(name, [Point(name, 64, appendfsync="always")], "always")
        for name in ("ours", "stock-rq", "direct")
    ]
    forking = Visit("stock-rq-default", [Point("stock-rq-default", 4)])
    return Plan(
        "long",
        repeats=3,
        seconds=8,
        visits=[*visits, *always, forking],
        postgres_alone=True,
        growth_and_memory=True,
    )


def _overload() -> Plan:
    return Plan("overload", repeats=3, seconds=60, visits=[], overload=Course())


def _against() -> Plan:
    points = [Point(THIS, 64), Point(THIS, 1)]
    return Plan("against", repeats=5, seconds=5, visits=[Visit(THIS, points)])


_PLANS: dict[Mode, Callable[[], Plan]] = {
    "quick": _quick,
    "bench": _bench,
    "long": _long,
    "overload": _overload,
    "against": _against,
}


def _visits(
    connections: Mapping[str, Sequence[int]], hot: Sequence[str], *, mix_and_open_loop: bool = False
) -> list[Visit]:
    visits = []
    for name, counts in connections.items():
        points = [Point(name, count) for count in counts]
        points += [Point(name, 16, players="hot")] if name in hot else []
        if mix_and_open_loop:
            points += [Point(name, 64, calls="mix"), Point(name, 64, open_loop=True)]
        visits.append(Visit(name, points))
    # Beside ours, with which it is compared.
    return [visits[0], Visit("ours-2x2", [Point("ours-2x2", 64)]), *visits[1:]]
