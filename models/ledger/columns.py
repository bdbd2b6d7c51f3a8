"""The columns of a bet, named once: each with its array type and its conversion from text."""

from collections.abc import Callable
from typing import Any, NamedTuple

from models.database.pipeline import maybe_exact, present, whole
from models.database.query import INT2S, INT4S, INT8S, NUMERICS, TEXTS
from models.ledger.state import BetState, OpenedBy
from models.reason import Reason


class Column(NamedTuple):
    """A column of a table. The field of the same name holds its value in memory."""

    name: str
    array_type: int
    read: Callable[[str | None], Any]


def _text(value: str | None) -> str | None:
    return value


#: Each has a field of the same name in `models.ledger.state.Bet`.
BET = (
    Column("id", INT8S, whole),
    Column("provider_id", INT4S, whole),
    Column("bet_id", TEXTS, present),
    Column("account_id", INT8S, whole),
    Column("session_id", TEXTS, present),
    Column("round_id", TEXTS, _text),
    Column("opened_by", TEXTS, lambda value: OpenedBy(present(value))),
    Column("state", TEXTS, lambda value: BetState(present(value))),
    Column("stake", NUMERICS, maybe_exact),
    Column("win", NUMERICS, maybe_exact),
    Column("odd", NUMERICS, maybe_exact),
    Column("refused_with", INT2S, lambda value: None if value is None else int(value)),
    Column("reason", TEXTS, lambda value: None if value is None else Reason(value)),
    Column("game", TEXTS, _text),
)


def names(columns: tuple[Column, ...], table: str = "") -> str:
    """The columns as SQL lists them, with `table` before each, such as `b.`."""
    return ", ".join(f"{table}{column.name}" for column in columns)
