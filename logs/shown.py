"""Text from outside as a line of a log may show it: quoted, on one line, and not too long."""

from typing import Final

#: Characters shown of one value. A `betId`, the longest that is ours, has as many.
MOST: Final = 128


def shown(value: object) -> str:
    """A value in single quotes; `-` for None.

    Whatever could begin a line, move the cursor or reverse what follows is escaped, as `repr` does.
    """
    if value is None:
        return "-"
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    # `repr` takes the other quotes for a text with these in it, unless it has both.
    quoted = "'" + repr('"' + text[:MOST])[2:]
    return quoted if len(text) <= MOST else f"{quoted}…"
