"""Cursors: what is read is what was written, and nobody else can write one."""

from datetime import UTC, datetime

import pytest

from api.shared.cursors import Cursors
from models.errors import InvalidRequest
from models.keys import Purpose, require_ring
from settings import Settings

POSITION = {
    "before": datetime(2026, 1, 31, 12, 0, 0, 5, UTC),
    "id": 2**63 - 1,
    "name": "é=/+",
    "n": 0,
}


def cursors(secret: str = "ab" * 32) -> Cursors:
    """Cursors under a key."""
    return Cursors(require_ring(Settings(operator_key=secret), Purpose.OPERATOR).current)


def test_a_position_comes_back_as_it_was() -> None:
    for position in (POSITION, {}, {"text": ""}):
        written = cursors().write("/bets?a=1", position)
        assert written.isascii()
        assert not set(written) & set("=+/ ")
        assert cursors().read("/bets?a=1", written) == position


def test_a_cursor_of_another_list_filter_or_key_is_refused() -> None:
    written = cursors().write("/bets?a=1", POSITION)

    for of in ("/bets?a=2", "/bets", "/players?a=1", ""):
        with pytest.raises(InvalidRequest, match="cursor must be"):
            cursors().read(of, written)
    with pytest.raises(InvalidRequest):
        cursors("cd" * 32).read("/bets?a=1", written)


def test_no_character_of_a_cursor_can_be_changed_added_or_left_out() -> None:
    written = cursors().write("/bets", {"id": 5})

    for at, character in enumerate(written[:-1]):
        other = "A" if character != "A" else "B"
        for changed in (written[:at] + other + written[at + 1 :], written[:at] + written[at + 1 :]):
            with pytest.raises(InvalidRequest):
                cursors().read("/bets", changed)
    for wrong in ("", "A", "=", "é", "\0", "A" * 3000, written * 2, f"{written}AAAA"):
        with pytest.raises(InvalidRequest):
            cursors().read("/bets", wrong)
