"""What commands print: JSON whose numbers are exact, and tables for people."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from models.money import plain


def exact_json(value: object) -> str:
    """A value as JSON on one line: a Decimal becomes the very number, a time RFC 3339 in UTC.

    Takes what `json.dumps` takes, and tuples. Raises TypeError for everything else.
    """
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return json.dumps(utc(value))
    if isinstance(value, Mapping):
        items = [f"{json.dumps(name)}: {exact_json(item)}" for name, item in value.items()]
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join([exact_json(item) for item in value]) + "]"
    return json.dumps(value, ensure_ascii=False)


def text(value: object) -> str:
    """A value for people: as in `exact_json`, but bare, and '-' where there is none."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return utc(value)
    return "-" if value is None else str(value)


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under their titles, in columns; those that hold only numbers are right-aligned."""
    cells = [[text(value) for value in row] for row in rows]
    numeric = [
        bool(column) and all(isinstance(value, int | Decimal) for value in column)
        for column in (zip(*rows, strict=True) if rows else [()] * len(titles))
    ]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    lines = []
    for line in (titles, *cells):
        parts = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def utc(moment: datetime) -> str:
    """A time with its zone as RFC 3339 in UTC, such as `2026-01-31T23:59:59.123456Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
