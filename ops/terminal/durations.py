"""Durations and times as operators type them, such as 24h and 2026-01-31T12:00:00Z."""

import re
from datetime import UTC, datetime, timedelta

import typer

_FORM = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=36_500)  # PostgreSQL and Python can both represent a time this long ago


def read_duration(typed: str) -> timedelta:
    """Read a whole number of seconds, minutes, hours or days. Raises typer.BadParameter."""
    match = _FORM.fullmatch(typed)
    if match is None:
        raise typer.BadParameter(
            f"{typed!r} is not a duration: give a whole number with a unit: 90s, 15m, 24h, 7d."
        )
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if duration > _LONGEST:
        raise typer.BadParameter(f"{typed!r} is longer than {_LONGEST.days}d.")
    return duration


def read_time(typed: str) -> datetime:
    """Read a time such as 2026-01-31 or 2026-01-31T12:00:00Z. It is UTC if no zone is given.

    Raises typer.BadParameter.
    """
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise typer.BadParameter(f"{typed!r} is not a time such as 2026-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
