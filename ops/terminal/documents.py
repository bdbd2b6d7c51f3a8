"""Formats what commands print: JSON with exact numbers, tables for people, and CSV."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice

from models.exact_json import exact_json
from models.money import plain
from models.times import utc

#: A spreadsheet takes a cell that begins like this for a formula, and runs it.
_FORMULA = re.compile(r"\s*[=+\-@\uff0b\uff0d\uff1d\uff20]|[\t\r]")


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


def text(value: object) -> str:
    """Return a value for people: as in `exact_json`, but without quotes. '-' means no value."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return utc(value)
    return "-" if value is None else str(value)


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows in columns under their titles. Columns with only numbers are right-aligned."""
    return "\n".join(table_lines(titles, rows, len(rows)))


def table_lines(
    titles: Sequence[str], rows: Iterable[Sequence[object]], measured_rows: int = 200
) -> Iterator[str]:
    """Yield the lines of a table that may be long. Its first rows determine the column widths."""
    coming = iter(rows)
    measured = list(islice(coming, measured_rows))
    cells = [[text(value) for value in row] for row in measured]
    numeric = [
        bool(column) and all(isinstance(value, int | Decimal) for value in column)
        for column in (zip(*measured, strict=True) if measured else [()] * len(titles))
    ]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for line in chain((titles,), measured, coming):
        parts = [
            text(cell).rjust(width) if right else text(cell).ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        yield "  ".join(parts).rstrip()


def csv_lines(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield a table as CSV, line by line, titles first. A cell without a value is empty.

    Text that a spreadsheet would take for a formula gets an apostrophe before it: names and bet ids
    come from outside. Numbers remain numbers, even below 0.
    """
    line = _Line()
    writer = csv.writer(line, lineterminator="")
    for row in chain((titles,), rows):
        writer.writerow([_csv_cell(value) for value in row])
        yield line.text


class _Line:
    """A file for `csv.writer` that holds only the newest line."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def _csv_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return text(value)
