"""Text from outside as a line of a log may show it: quoted, on one line, and not too long."""

from typing import Final

#: Characters shown of one value. A `betId`, the longest that is ours, has as many.
MOST: Final = 128


def shown(value: object) -> str:
    """A value in quotes; `-` for None.

    Whatever could begin a line, move the cursor or reverse what follows is escaped, as `repr` does.
    """
    if value is None:
        return "-"
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return repr(text) if len(text) <= MOST else f"{text[:MOST]!r}…"
