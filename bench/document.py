"""Writes the results of a run into docs/PERFORMANCE.md, between two comments, and draws them."""

from pathlib import Path

from bench.figures import P50, P99, PER_SECOND
from bench.results import FOLDER, Point, Results, figure_of, load
from bench.table import tables
from models.errors import BetcoreError

DOCUMENT = Path(__file__).parents[1] / "docs/PERFORMANCE.md"
PICTURE = DOCUMENT.with_name("performance.png")
BEGIN, END = "<!-- results: python -m bench --document -->", "<!-- end of results -->"
OVERLOAD_BEGIN = "<!-- overload: python -m bench --document -->"
OVERLOAD_END = "<!-- end of overload -->"
LINES = {  # contender -> name, colour
    "ours": ("ours", "#0b6e4f"),
    "stock-rq": ("stock RQ, two SimpleWorkers", "#c1121f"),
    "direct": ("direct", "#e09f3e"),
    "tuned-direct": ("tuned direct", "#335c81"),
}
_FEWEST = 2  # points of a line that is worth drawing
_FULLEST_FIRST = ("long", "bench", "quick")
_OVERLOAD = ("overload",)


class NoResults(BetcoreError):  # noqa: N818 - named for what it is about
    """There are no results yet: run `make bench` first."""


def document(path: Path = DOCUMENT, folder: Path = FOLDER) -> list[Path]:
    """Write the fullest results of `folder` into `path`, and draw their picture; the files.

    What an overload found has a place of its own. Raises NoResults, and ValueError when `path` has
    not the comments around what is to be written.
    """
    written: list[Path] = []
    for modes, begin, end in (
        (_FULLEST_FIRST, BEGIN, END),
        (_OVERLOAD, OVERLOAD_BEGIN, OVERLOAD_END),
    ):
        files = [folder / f"{mode}.json" for mode in modes]
        chosen = next((file for file in files if file.exists()), None)
        if chosen is None:
            continue
        results = load(chosen)
        before, rest = path.read_text().split(begin)
        _, after = rest.split(end)
        picture = draw(results, path.with_name(PICTURE.name))
        path.write_text(f"{before}{begin}\n{_in_markdown(results, picture)}\n{end}{after}")
        written += [file for file in (path, picture) if file and file not in written]
    if not written:
        raise NoResults
    return written


def _in_markdown(results: Results, picture: Path | None) -> str:
    minutes = f"{results.seconds / 60:.0f} minutes"
    when = f"`{results.mode}` began at {results.began_at} and took {minutes}."
    verified = f"The ledger verified: {results.verified_transfers:,} transfers."
    machine = [f"| {name} | {value} |" for name, value in results.machine.items()]
    machine[:0] = ["| machine | |", "| --- | --- |"]
    parts = [f"{when} {verified}", "\n".join(machine)]
    parts += [table.markdown() for table in tables(results)]
    if picture:
        parts.insert(2, f"![Throughput and latency against connections]({picture.name})")
    return "\n\n".join(parts)


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
            for value in (PER_SECOND, P50, P99)
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
