"""Reads a provider's list of its bets from CSV. Each line is judged on its own."""

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from models.audit.reconcile import ListedBet
from models.commands import read_text
from models.errors import InvalidRequest
from models.ledger.state import BetState
from models.money import read_amount

_STATES = {str(state) for state in BetState}
_COLUMNS = ("betId", "stake", "win", "state")


class BetList:
    """The lines of a file, readable once. `columns` has those of our columns that the file has."""

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
        named = dict(zip(self._titles, cells, strict=True))
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


@contextmanager
def bet_list(path: Path) -> Iterator[BetList]:
    """Open the list in a UTF-8 file. Raises OSError, or InvalidRequest if it is not such a list."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield BetList(file)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8.") from error


def _amount(named: Mapping[str, str], name: str) -> Decimal | None:
    value = named.get(name, "").strip()
    return read_amount(value, name) if value else None


def _state(cell: str) -> str | None:
    state = cell.strip().lower()
    if state and state not in _STATES:
        raise InvalidRequest(f"state must be one of {', '.join(sorted(_STATES))}.")
    return state or None
