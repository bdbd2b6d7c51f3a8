"""CSV and plain text with exact numbers, for commands and for the operator API."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain

from models.money import plain
from models.times import utc

#: A spreadsheet takes a cell that begins like this for a formula, and runs it.
_FORMULA = re.compile(r"\s*[=+\-@\uff0b\uff0d\uff1d\uff20]|[\t\r]")


def plain_text(value: object) -> str:
    """Return a value for people: as in `exact_json`, but without quotes. '-' means no value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return utc(value)
    return "-" if value is None else str(value)


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
    return plain_text(value)
