"""Results as tables: the figures with their verdicts, and all points; as text or Markdown."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from bench.figures import CPU, P50, P99, PER_SECOND, REDIS_COMMANDS, REDIS_CPU, REDIS_LOG, figures
from bench.load import GOOD, TRY_LATER, Latency
from bench.plan import THIS
from bench.results import Results, Run, Spread, figure_of, ratio_of, spread


@dataclass(frozen=True)
class Table:
    """A header and its rows; the first column is text, the others are figures."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """For a terminal."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]

        def aligned(line: Sequence[str]) -> str:
            first, *others = line
            cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
            return "  ".join([first.ljust(widths[0]), *cells])

        rule = "-" * len(aligned(self.header))
        return "\n".join([self.title, aligned(self.header), rule, *map(aligned, self.rows)])

    def markdown(self) -> str:
        """For a document."""
        rule = ["---", *["---:"] * (len(self.header) - 1)]
        lines = [f"| {' | '.join(line)} |" for line in (self.header, rule, *self.rows)]
        return "\n".join([f"**{self.title}**", "", *lines])


def tables(results: Results) -> Iterator[Table]:
    """Every table that these results fill."""
    costs = "What a bet costs: medians of the runs, memory at the end of the last run"
    for table in (
        _of_figures(results),
        _of_change(results),
        _of_points(results, "Every point: medians of the runs", "point", _POINT),
        _of_points(results, costs, "per bet", _COST),
        _of_postgres_alone(results),
        _of_queue(results),
        _of_overload_runs(results),
        _of_overloads(results),
    ):
        if table.rows:
            yield table


def _of_figures(results: Results) -> Table:
    rows = []
    for figure, found in figures(results):
        verdict = figure.verdict(found.median)
        rows.append(
            (
                figure.name,
                figure.asked(figure.limit),
                figure.asked(figure.aim),
                f"{_short(found.median)} {figure.unit}".rstrip(),
                _between(found),
                "ok, aim reached" if verdict == "aim" else verdict,
            )
        )
    header = ("figure", "required", "aim", "measured", "from-to", "")
    title = f"Required and measured: medians of the runs ({results.mode})"
    return Table(title, header, rows)


def _of_change(results: Results) -> Table:
    """This tree against the revision before: medians, and the ratios of the runs of one repeat."""
    rows = []
    for point in dict.fromkeys(run.point for run in results.runs if results.before):
        if point.contender != THIS:
            continue
        old = replace(point, contender=results.before)
        for name, value in _CHANGES.items():
            medians = [figure_of(results, one, value) for one in (old, point)]
            ratio = ratio_of(results, point, old, value)
            if ratio:
                shown = (_short(one.median) if one else "" for one in medians)
                label = f"{name}, {point.label.removeprefix(f'{THIS}, ')}"
                rows.append((label, *shown, _short(ratio.median), _between(ratio)))
    header = ("figure", results.before, THIS, "this / before", "from-to")
    return Table(f"{THIS} against {results.before}: medians", header, rows)


def _of_points(results: Results, title: str, first: str, columns: Mapping[str, "Cell"]) -> Table:
    rows = []
    for point in dict.fromkeys(run.point for run in results.runs):
        counted, runs = results.kept(point), list(results.of(point).values())
        rows.append((point.label, *(cell(counted, runs) for cell in columns.values())))
    return Table(title, (first, *columns), rows)


def _of_postgres_alone(results: Results) -> Table:
    found = spread(results.postgres_alone)
    rows = [(f"{found.median:,.0f}", _between(found), str(found.runs))] if found else []
    return Table("PostgreSQL alone: one statement per bet", ("bets/s", "from-to", "runs"), rows)


def _of_queue(results: Results) -> Table:
    rows = []
    for per_script in dict.fromkeys(one.per_script for one in results.queue):
        costs = [one.cost for one in results.queue if one.per_script == per_script]
        carried = spread(1e6 / cost.redis_cpu_us for cost in costs if cost.redis_cpu_us)
        values = [
            statistics.median(getattr(cost, name) for cost in costs)
            for name in ("redis_cpu_us", "redis_commands", "redis_log_bytes_per_bet")
        ]
        shown = f"{carried.median:,.0f}" if carried else ""
        rows.append((str(per_script), shown, _between(carried), *map(_short, values)))
    header = (
        *("bets per script", "bets per second of Redis's CPU", "from-to"),
        *("Redis µs per bet", "Redis commands", "log bytes"),
    )
    return Table("The queue alone: medians of the runs", header, rows)


def _of_overload_runs(results: Results) -> Table:
    rows = [
        (
            str(one.repeat + 1),
            *(f"{rate:,.0f}" for rate in one.capacities),
            f"{one.generator_cpu_us:.0f}",
            f"{one.connections:,}",
            f"{one.steal + one.others:.0%}",
        )
        for one in results.overloads
    ]
    header = (
        *("run", "capacity before, requests/s", "capacity after, requests/s"),
        *("CPU µs per request, generator", "connections", "stolen or taken by others"),
    )
    return Table("Overloads: the machine and the load generator", header, rows)


def _of_overloads(results: Results) -> Table:
    rows = []
    for one in results.overloads:
        for name, part in (("before", one.calm), ("overload", one.over), ("after", one.after)):
            seconds = part.end - part.begin
            rows.append(
                (
                    f"{one.repeat + 1}. {name}",
                    f"{part.sent / seconds / one.capacity:.2f}",
                    f"{part.of(GOOD) / seconds:,.0f}",
                    *_tail(part.good),
                    f"{part.of(TRY_LATER) / seconds:,.0f}",
                    *_tail(part.refused),
                    str(part.others),
                    _tail(part.sent_late)[1],
                )
            )
    header = (
        *("run and part", "sent / capacity", "good/s", "p50 ms", "p99 ms", "max ms"),
        *("99/s", "p50 ms", "p99 ms", "max ms", "others", "sent late, p99 ms"),
    )
    return Table("Overloads: latencies, by when a request was due", header, rows)


def _tail(found: Latency) -> tuple[str, str, str]:
    return _short(found.p50), _short(found.p99), _short(found.max)


def _between(found: Spread | None) -> str:
    many = found is not None and found.runs > 1
    return f"{_short(found.least)}-{_short(found.most)}" if found and many else ""


def _short(value: float) -> str:
    """Three digits at most behind what matters; nothing for NaN."""
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


#: What a column says of a point, from the runs that count and from all runs.
Cell = Callable[[Sequence[Run], Sequence[Run]], str]


def _median(value: Callable[[Run], float]) -> Cell:
    def cell(counted: Sequence[Run], _: Sequence[Run]) -> str:
        found = spread(map(value, counted))
        return _short(found.median) if found else ""

    return cell


def _cpu_us(role: str) -> Cell:
    return _median(lambda run: run.cost.cpu_us_per_bet.get(role, 0.0))


def _memory_mb(run: Run) -> str:
    used = run.cost.memory_mb
    return " + ".join(f"{used[role]:.0f}" for role in _ROLES if role in used)


_ROLES = ("gateway", "worker", "redis", "postgres")
_POINT: dict[str, Cell] = {
    "requests/s": lambda counted, _: f"{statistics.median(map(PER_SECOND, counted)):,.0f}",
    "from-to": lambda counted, _: _between(spread(map(PER_SECOND, counted))),
    "p50 ms": _median(P50),
    "p90 ms": _median(attrgetter("load.latency.p90")),
    "p99 ms": _median(P99),
    "sent late, p99 ms": _median(attrgetter("load.late_ms")),
    "failed": lambda _, runs: str(sum(run.load.failed for run in runs)),
    "runs kept": lambda counted, runs: f"{len(counted)}/{len(runs)}",
    "stolen": lambda _, runs: str(sum(run.stolen for run in runs)),
    "others": lambda _, runs: f"{max(run.others for run in runs):.0%}",
}
_CHANGES: dict[str, Callable[[Run], float]] = {
    "bets per second": PER_SECOND,
    "p50, ms": P50,
    "p99, ms": P99,
    "CPU of the whole stack, µs per bet": CPU,
    "Redis's CPU, µs per bet": REDIS_CPU,
    "Redis commands per bet": REDIS_COMMANDS,
    "Redis's log, bytes per bet": REDIS_LOG,
}
_COST: dict[str, Cell] = {
    **{f"{role} µs": _cpu_us(role) for role in _ROLES},
    "CPU µs": _median(CPU),
    "memory MB": lambda counted, _: _memory_mb(counted[-1]),
    "Redis commands": _median(REDIS_COMMANDS),
    "Redis bytes": _median(attrgetter("cost.redis_bytes_per_bet")),
    "log bytes": _median(REDIS_LOG),
    "WAL bytes": _median(attrgetter("cost.wal_bytes_per_bet")),
}
