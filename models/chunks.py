"""Long lists in parts, because PostgreSQL takes at most 65,535 parameters per statement."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

_ITEMS = 1000


def chunks(items: Sequence[Item]) -> list[Sequence[Item]]:
    """The items in order, in parts of at most 1000."""
    return [items[start : start + _ITEMS] for start in range(0, len(items), _ITEMS)]
