"""Text from outside in the form that is safe in a log: quoted, on one line, and not too long."""

from typing import Final

#: Characters shown per value. The longest of our own values, a `betId`, has this many.
MOST: Final = 128


def shown(value: object) -> str:
    """A value in single quotes, or `-` for None.

    As `repr` does, it escapes whatever could begin a line, move the cursor or reverse the text.
    """
    if value is None:
        return "-"
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    # The added double quote makes `repr` choose single quotes, unless the text has both kinds.
    quoted = "'" + repr('"' + text[:MOST])[2:]
    return quoted if len(text) <= MOST else f"{quoted}…"
