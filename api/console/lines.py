"""Places lines over time in SVG. Where nothing is known, a line has a gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH = 700
HEIGHT = 100

#: A value at each point of time; None: it is not known.
Values = Sequence[float | None]


class Line(NamedTuple):
    """One line. Each part is the `points` of an SVG polyline."""

    name: str
    parts: list[str]
    last: float | None  # the newest value that is known
    highest: float


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines that share a time and a scale, from 0 to the highest value of all."""

    title: str
    unit: str
    lines: list[Line]


def chart_of(title: str, unit: str, **series: Values) -> LineChart:
    """A chart of these series, by name. All of them have the same points of time."""
    known = [value for values in series.values() for value in values if value is not None]
    most = max([*known, 0.0]) or 1.0
    return LineChart(title, unit, [_line(name, values, most) for name, values in series.items()])


def _line(name: str, values: Values, most: float) -> Line:
    parts: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            parts.append([])
            continue
        x = round(place * WIDTH / max(1, len(values) - 1), 1)
        y = round(HEIGHT - value * HEIGHT / most, 1)
        parts[-1].append(f"{x},{y}")
    # A point alone is drawn twice: its round ends are seen.
    drawn = [" ".join(part if len(part) > 1 else part * 2) for part in parts if part]
    known = [value for value in values if value is not None]
    return Line(name, drawn, known[-1] if known else None, max([*known, 0.0]))
