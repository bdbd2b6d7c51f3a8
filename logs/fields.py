"""Values beside the text of a log line, for the JSON form (`logs/setup.py`)."""

from typing import Final

from logs.shown import MOST

#: The attribute of a log record that has them.
ATTRIBUTE: Final = "betcore_fields"


def fields(**values: object) -> dict[str, object]:
    """The argument `extra` of a call of logging. Values of None are left out.

    A text is cut like one that `shown` writes.
    """
    return {ATTRIBUTE: {name: _cut(value) for name, value in values.items() if value is not None}}


def _cut(value: object) -> object:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return value[:MOST] if isinstance(value, str) else value
