"""Draws throughput and latency against connections, a line for each contender."""

from pathlib import Path

from bench.figures import P50, PER_SECOND
from bench.results import Point, Results, Run, figure_of

PICTURE = Path(__file__).parents[1] / "docs/performance.png"
LINES = {  # contender -> name, colour
    "ours": ("ours", "#0b6e4f"),
    "stock-rq": ("stock RQ, two SimpleWorkers", "#c1121f"),
    "direct": ("direct", "#e09f3e"),
    "tuned-direct": ("tuned direct", "#335c81"),
}
_FEWEST = 2  # points of a line that is worth drawing


def draw(results: Results, path: Path = PICTURE) -> Path | None:
    """Draw the picture; None: no contender was measured at two numbers of connections."""
    # Here, because drawing is all that needs it and it takes a second to load.
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    lines = {name: _points(results, name) for name in LINES}
    if max(map(len, lines.values())) < _FEWEST:
        return None
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name, points in lines.items():
        label, colour = LINES[name]
        connections = [point.connections for point in points]
        rates, p50, p99 = (
            [found.median for point in points if (found := figure_of(results, point, value))]
            for value in (PER_SECOND, P50, _p99)
        )
        left.plot(connections, rates, color=colour, marker="o", label=label)
        right.plot(connections, p50, color=colour, marker="o", label=f"{label}, p50")
        right.plot(connections, p99, color=colour, marker=".", linestyle=":", label="p99")
    left.set_ylabel("bets a second")
    left.set_ylim(bottom=0)
    right.set_ylabel("milliseconds")
    right.set_yscale("log")
    ticks = sorted({point.connections for points in lines.values() for point in points})
    for axes in (left, right):
        axes.set_xlabel("connections")
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, map(str, ticks))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return path


def _points(results: Results, contender: str) -> list[Point]:
    """The plain points of a contender, by number of connections."""
    plain = {
        run.point for run in results.runs if run.point == Point(contender, run.point.connections)
    }
    return sorted(plain, key=lambda point: point.connections)


def _p99(run: Run) -> float:
    return run.latency.p99
