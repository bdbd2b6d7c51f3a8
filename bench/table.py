"""Results as tables: the figures with their verdicts, and all points; as text or Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.figures import PER_SECOND, figures
from bench.results import Point, Results, Run, Spread, figure_of, kept
from bench.seconds import GOOD, TRY_LATER, Tail


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
    for table in (
        _of_figures(results),
        _of_points(results),
        _of_costs(results),
        _of_postgres_alone(results),
        _of_overload_runs(results),
        _of_overloads(results),
    ):
        if table.rows:
            yield table


def _of_figures(results: Results) -> Table:
    rows = []
    for figure, found in figures(results):
        rows.append(
            (
                figure.name,
                figure.asked(figure.limit),
                figure.asked(figure.aim),
                f"{_short(found.median)} {figure.unit}",
                _between(found),
                {"aim": "ok, aim reached"}.get(verdict := figure.verdict(found.median), verdict),
            )
        )
    header = ("figure", "required", "aim", "measured", "from-to", "")
    title = f"Required and measured: medians of the runs ({results.mode})"
    return Table(title, header, rows)


def _of_points(results: Results) -> Table:
    rows = []
    for point in _points(results):
        rate = figure_of(results, point, PER_SECOND)
        assert rate is not None  # noqa: S101 - the point has runs
        runs = list(results.of(point).values())
        rows.append(
            (
                point.label,
                f"{rate.median:,.0f}",
                _between(rate),
                *(_median(results, point, f"latency.{name}") for name in ("p50", "p90", "p99")),
                str(sum(run.failed for run in runs)),
                f"{len(kept(runs))}/{len(runs)}",
                str(sum(run.stolen for run in runs)),
                f"{max(run.others for run in runs):.0%}",
            )
        )
    header = (
        *("point", "requests/s", "from-to", "p50 ms", "p90 ms", "p99 ms"),
        *("failed", "runs kept", "stolen", "others"),
    )
    return Table("Every point: medians of the runs", header, rows)


def _of_costs(results: Results) -> Table:
    roles = ("gateway", "worker", "redis", "postgres")
    rows = []
    for point in _points(results):
        runs = kept(results.of(point).values())
        last = runs[-1].cost.memory_mb
        rows.append(
            (
                point.label,
                *(_median(results, point, "cost.cpu_us_per_bet", role) for role in roles),
                _median(results, point, "cost.cpu_us"),
                " + ".join(f"{last[role]:.0f}" for role in roles if role in last),
                _short(sum(runs[-1].cost.redis_commands_per_bet.values())),
                _median(results, point, "cost.redis_bytes_per_bet"),
                _median(results, point, "cost.wal_bytes_per_bet"),
            )
        )
    header = (
        *("per bet", *(f"{role} µs" for role in roles), "CPU µs", "memory MB"),
        *("Redis commands", "Redis bytes", "WAL bytes"),
    )
    title = "What a bet costs: medians of the runs, memory at the end of the last run"
    return Table(title, header, rows)


def _of_postgres_alone(results: Results) -> Table:
    rows = [
        (name, f"{sum(values) / len(values):,.0f}", str(len(values)))
        for name, values in results.postgres_alone.items()
        if values
    ]
    return Table("PostgreSQL alone", ("writes", "bets/s", "runs"), rows)


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


def _tail(found: Tail | None) -> tuple[str, str, str]:
    return (_short(found.p50), _short(found.p99), _short(found.max)) if found else ("", "", "")


def _points(results: Results) -> list[Point]:
    return list(dict.fromkeys(run.point for run in results.runs))


def _median(results: Results, point: Point, path: str, key: str | None = None) -> str:
    def value(run: Run) -> float:
        found = run
        for name in path.split("."):
            found = getattr(found, name)
        return float(found.get(key, 0.0) if key else found)  # type: ignore[attr-defined, arg-type]

    found = figure_of(results, point, value)
    return _short(found.median) if found else ""


def _between(found: Spread) -> str:
    return f"{_short(found.least)}-{_short(found.most)}" if found.runs > 1 else ""


def _short(value: float) -> str:
    """Three digits at most behind what matters."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
