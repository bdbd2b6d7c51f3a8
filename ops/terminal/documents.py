"""Formats what commands print: JSON with exact numbers, and tables for people."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, islice

from models.exact_csv import plain_text
from models.exact_json import exact_json


def json_pieces(
    fields: Mapping[str, object], name: str, rows: Iterable[Mapping[str, object]]
) -> Iterator[str]:
    """Yield one document in pieces: its fields, if any, then a list that may be long."""
    yield f"{exact_json(fields)[:-1]}{', ' if fields else ''}{json.dumps(name)}: ["
    separator = ""
    for row in rows:
        yield separator + exact_json(row)
        separator = ", "
    yield "]}"


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows in columns under their titles. Columns with only numbers are right-aligned."""
    return "\n".join(table_lines(titles, rows, len(rows)))


def table_lines(
    titles: Sequence[str], rows: Iterable[Sequence[object]], measured_rows: int = 200
) -> Iterator[str]:
    """Yield the lines of a table that may be long. Its first rows determine the column widths."""
    coming = iter(rows)
    measured = list(islice(coming, measured_rows))
    cells = [[plain_text(value) for value in row] for row in measured]
    numeric = [
        bool(column) and all(isinstance(value, int | Decimal) for value in column)
        for column in (zip(*measured, strict=True) if measured else [()] * len(titles))
    ]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for line in chain((titles,), measured, coming):
        parts = [
            plain_text(cell).rjust(width) if right else plain_text(cell).ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        yield "  ".join(parts).rstrip()
