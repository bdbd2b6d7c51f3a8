"""Durations as people write them, such as 24h."""

import re
from datetime import timedelta

from models.errors import InvalidRequest

_FORM = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=36_500)  # PostgreSQL and Python can both represent a time this long ago


def read_duration(text: str) -> timedelta:
    """Read a whole number of seconds, minutes, hours or days. Raises InvalidRequest."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidRequest(
            f"{text!r} is not a duration: give a whole number with a unit: 90s, 15m, 24h, 7d."
        )
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if duration > _LONGEST:
        raise InvalidRequest(f"{text!r} is longer than {_LONGEST.days}d.")
    return duration
