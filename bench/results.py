"""The runs of a benchmark as data: written, read, and compared run by run."""

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import TypeAdapter

from bench.load import Load
from bench.measure import Cost
from bench.seconds import Overload
from bench.traffic import Calls, Players

FOLDER = Path(__file__).with_name("results")
STEAL_MAX = 0.05  # share of the time; a run with more is marked
ENOUGH = 3  # so many other runs must remain for a marked one to be dropped


@dataclass(frozen=True)
class Point:
    """What a run measures: a contender under a load."""

    contender: str
    connections: int
    calls: Calls = "pay-in-out"
    players: Players = "spread"
    appendfsync: str = "everysec"
    percent: int = 0  # open loop, at so many percent of the capacity below; 0: closed loop
    of: str = ""  # the contender whose capacity with 64 connections that is

    @property
    def label(self) -> str:
        """The point in a few words."""
        marks = [f"{self.connections} connection{'s' if self.connections > 1 else ''}"]
        marks += ["mix"] if self.calls == "mix" else []
        marks += ["hot player"] if self.players == "hot" else []
        marks += [f"appendfsync {self.appendfsync}"] if self.appendfsync != "everysec" else []
        marks += [f"{self.percent} % of {self.of}"] if self.percent else []
        return f"{self.contender}, {', '.join(marks)}"


@dataclass(frozen=True)
class Run:
    """One measurement of a point; runs of one `repeat` were made one shortly after the other."""

    point: Point
    repeat: int
    load: Load
    cost: Cost

    @property
    def stolen(self) -> bool:
        """Whether the machine was not ours for too much of the time."""
        return self.cost.steal > STEAL_MAX

    @property
    def others(self) -> float:
        """Share of the machine's time that went to what is no part of the benchmark."""
        ours = self.cost.cpu_us * self.load.good / 1e6 + self.load.cpu_seconds
        share = ours / self.cost.machine_seconds if self.cost.machine_seconds else 0.0
        return max(0.0, 1 - self.cost.idle - self.cost.steal - share)


@dataclass(frozen=True)
class Carried:
    """What bets cost in the queue alone."""

    per_script: int  # bets that one script admits
    cost: Cost


@dataclass(frozen=True)
class Results:
    """Everything one benchmark found."""

    mode: str
    began_at: str
    machine: Mapping[str, str]
    seconds: float = 0.0  # the whole benchmark
    runs: Sequence[Run] = ()
    postgres_alone: Sequence[float] = ()  # bets a second, one a repeat
    queue: Sequence[Carried] = ()  # what one Redis carries
    redis_memory_mb: float | None = None  # after 200,000 bets
    growth: Mapping[str, Sequence[float]] = field(default_factory=dict)  # CPU us by stored bets
    overloads: Sequence[Overload] = ()
    before: str = ""  # the revision with which this tree was compared
    verified_transfers: int = 0

    @classmethod
    def begun(cls, mode: str, machine: Mapping[str, str]) -> Self:
        """Results of a benchmark that begins now."""
        return cls(mode, datetime.now(UTC).isoformat(timespec="seconds"), machine)

    def of(self, point: Point) -> dict[int, Run]:
        """The runs of a point by repeat."""
        return {run.repeat: run for run in self.runs if run.point == point}

    def kept(self, point: Point) -> list[Run]:
        """The runs of a point that count."""
        return kept(self.of(point).values())


class Spread(NamedTuple):
    """A median, and between what its values were."""

    median: float
    least: float
    most: float
    runs: int


def spread(values: Iterable[float]) -> Spread | None:
    """The spread of some values; None of none. NaN is no value."""
    found = sorted(value for value in values if not math.isnan(value))
    if not found:
        return None
    return Spread(statistics.median(found), found[0], found[-1], len(found))


def kept(runs: Iterable[Run]) -> list[Run]:
    """Runs without those that had too much time stolen, while three others remain."""
    worst_last = sorted(runs, key=lambda run: run.cost.steal)
    while len(worst_last) > ENOUGH and worst_last[-1].stolen:
        worst_last.pop()
    return sorted(worst_last, key=lambda run: run.repeat)


def figure_of(results: Results, point: Point, value: Callable[[Run], float]) -> Spread | None:
    """The spread of a value over the runs of a point that count."""
    return spread(map(value, results.kept(point)))


def ratio_of(
    results: Results, over: Point, under: Point, value: Callable[[Run], float]
) -> Spread | None:
    """The spread of the ratios of two points, each of two runs of one repeat.

    A pair counts as its run with more stolen time does.
    """
    top, bottom = results.of(over), results.of(under)
    pairs = {
        repeat: max(top[repeat], bottom[repeat], key=lambda run: run.cost.steal)
        for repeat in top.keys() & bottom.keys()
    }
    counted = [run.repeat for run in kept(pairs.values())]
    return spread(value(top[n]) / value(bottom[n]) for n in counted if value(bottom[n]))


def save(results: Results, folder: Path = FOLDER) -> Path:
    """Write results as JSON, in place of those of the same mode; the file."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{results.mode}.json"
    path.write_text(json.dumps(asdict(results), indent=1) + "\n")
    return path


def load(path: Path) -> Results:
    """Read what `save` wrote."""
    return TypeAdapter(Results).validate_json(path.read_bytes())
