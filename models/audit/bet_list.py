"""Reads a provider's list of its bets, from CSV or JSON. Each line is judged on its own.

The file is read as the lines are taken, so that memory does not grow with it.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Protocol, TextIO

from models.audit.reconcile import ListedBet
from models.commands import read_text
from models.errors import InvalidRequest
from models.ledger.state import BetState
from models.money import JsonNumber, read_amount

_STATES = {str(state) for state in BetState}
_COLUMNS = ("betId", "stake", "win", "state")
_AMOUNTS = ("stake", "win")
_PART = 64 * 1024  # characters read at a time; no item of a JSON list may be longer


class BetList(Protocol):
    """A list that can be iterated once. `columns` has those of our columns that it has."""

    columns: set[str]

    def __iter__(self) -> Iterator[ListedBet]:
        """Each bet. One that cannot be read says why."""


class CsvBets:
    """The lines of a CSV file. The first one has the titles."""

    def __init__(self, file: TextIO) -> None:
        """Read the header. Raises InvalidRequest if a required column is missing."""
        self._reader = csv.reader(file)
        try:
            self._titles = [title.strip() for title in next(self._reader, [])]
        except csv.Error as error:
            raise InvalidRequest(f"Line 1: {error}.") from error
        self.columns = {title for title in self._titles if title in _COLUMNS}
        if "betId" not in self.columns:
            raise InvalidRequest("Line 1 must name betId, and may name stake, win and state.")
        twice = [name for name in sorted(self.columns) if self._titles.count(name) > 1]
        if twice:
            raise InvalidRequest(f"Line 1 names the column {twice[0]} twice.")

    def __iter__(self) -> Iterator[ListedBet]:
        """Yield each line that is not empty. A line that cannot be read says why."""
        while True:
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield ListedBet(self._reader.line_num, None, why=str(error))
                continue
            if any(cells):
                yield self._bet(cells)

    def _bet(self, cells: list[str]) -> ListedBet:
        line = self._reader.line_num
        if len(cells) != len(self._titles):
            why = f"{len(cells)} cells under {len(self._titles)} titles"
            return ListedBet(line, None, why=why)
        return _bet(line, dict(zip(self._titles, cells, strict=True)))


class JsonBets:
    """The objects of a JSON array. The fields of the first one are those that are compared."""

    def __init__(self, file: TextIO) -> None:
        """Read the first object. Raises InvalidRequest if this is not an array of objects."""
        self._items = _json_objects(file)
        self._first = next(self._items, None)
        self.columns = {name for name in self._first or () if name in _COLUMNS}
        if self._first is not None and "betId" not in self.columns:
            raise InvalidRequest("The first bet must have betId; it may have stake, win and state.")

    def __iter__(self) -> Iterator[ListedBet]:
        """Yield each object. Raises InvalidRequest where the JSON ends or is not an object."""
        number, item = 1, self._first
        while item is not None:
            yield self._bet(number, item)
            number, item = number + 1, next(self._items, None)

    def _bet(self, number: int, item: dict[str, object]) -> ListedBet:
        if {name for name in item if name in _COLUMNS} != self.columns:
            names = ", ".join(name for name in _COLUMNS if name in self.columns)
            return ListedBet(number, None, why=f"its fields are not {names}, as those of the first")
        cells = {name: "" if item[name] is None else item[name] for name in self.columns}
        for name, cell in sorted(cells.items()):
            is_number = type(cell) is JsonNumber and name in _AMOUNTS
            if not is_number and type(cell) is not str:
                return ListedBet(number, None, why=f"{name} has a value of a wrong type")
        return _bet(number, {name: str(cell) for name, cell in cells.items()})


@contextmanager
def bet_list(path: Path) -> Iterator[BetList]:
    """Open the list in a UTF-8 file. Raises OSError, or InvalidRequest if it is not such a list."""
    with path.open(encoding="utf-8-sig", newline="") as file, utf_8(str(path)):
        yield CsvBets(file)


@contextmanager
def utf_8(name: str) -> Iterator[None]:
    """Raises InvalidRequest if what is read in the block is not UTF-8."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name} is not UTF-8.") from error


def _bet(line: int, named: Mapping[str, str]) -> ListedBet:
    try:
        bet_id = read_text(named["betId"], "betId")
    except InvalidRequest as error:
        return ListedBet(line, None, why=str(error))
    try:
        return ListedBet(
            line,
            bet_id,
            _amount(named, "stake"),
            _amount(named, "win"),
            _state(named.get("state", "")),
        )
    except InvalidRequest as error:
        return ListedBet(line, bet_id, why=str(error))


def _amount(named: Mapping[str, str], name: str) -> Decimal | None:
    value = named.get(name, "").strip()
    return read_amount(value, name) if value else None


def _state(cell: str) -> str | None:
    state = cell.strip().lower()
    if state and state not in _STATES:
        raise InvalidRequest(f"state must be one of {', '.join(sorted(_STATES))}.")
    return state or None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidRequest("A bet of the list names a field twice.")
    return found


#: Numbers keep their characters, because amounts are exact.
_DECODE = json.JSONDecoder(
    parse_float=JsonNumber, parse_int=JsonNumber, object_pairs_hook=_object
).raw_decode
_FOLLOW = {"[": "]{", "{": ",]", ",": "{"}  # what may come after what, outside of the objects


def _json_objects(file: TextIO) -> Iterator[dict[str, object]]:
    """The objects of an array, read one after the other. Raises InvalidRequest."""
    text, at, allowed = "", 0, "["
    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        found = text[at : at + 1]
        if found and found not in allowed:
            raise InvalidRequest("The list is not a JSON array of objects.")
        if found == "]":
            if text[at + 1 :].strip() or file.read().strip():
                raise InvalidRequest("Something follows the JSON array.")
            return
        if found and found != "{":
            at, allowed = at + 1, _FOLLOW[found]
            continue
        try:
            item, at = _DECODE(text, at)
        except (ValueError, RecursionError):  # its end has not been read yet, or it has none
            text, at = _with_more(file, text[at:]), 0
        else:
            yield item
            allowed = _FOLLOW["{"]


def _with_more(file: TextIO, text: str) -> str:
    more = file.read(_PART) if len(text) < _PART else ""
    if not more:
        raise InvalidRequest("The list is not a whole JSON array of objects.")
    return text + more
