"""Invented runs of a benchmark, for tests of what is computed from runs."""

from bench.load import Latency, Load
from bench.measure import Cost
from bench.results import Point, Results, Run

OURS, DIRECT = Point("ours", 64), Point("direct", 64)


def run(point: Point, repeat: int, per_second: float, steal: float = 0.0) -> Run:
    """A run of ten seconds."""
    cost = Cost(
        {"gateway": 185.0, "postgres": 200.0}, {"gateway": 70.0}, {}, 0, 0, 0, 0, 20, steal, 0
    )
    latency = Latency(1.0, 2.0, 3.0, 4.0)
    load = Load(round(per_second * 10), {}, 10.0, latency, 0.1, 1.0)
    return Run(point, repeat, load, cost)


def results(*runs: Run) -> Results:
    """Results of these runs and nothing else."""
    return Results("bench", "2026-01-01T00:00:00+00:00", {"cores": "2"}, runs=runs)
