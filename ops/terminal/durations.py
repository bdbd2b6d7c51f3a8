"""Durations and times as operators type them, such as 24h and 2026-01-31T12:00:00Z."""

from datetime import UTC, datetime, timedelta

import typer

from models import durations
from models.errors import InvalidRequest


def read_duration(typed: str) -> timedelta:
    """Read a whole number of seconds, minutes, hours or days. Raises typer.BadParameter."""
    try:
        return durations.read_duration(typed)
    except InvalidRequest as error:
        raise typer.BadParameter(str(error)) from None


def read_time(typed: str) -> datetime:
    """Read a time such as 2026-01-31 or 2026-01-31T12:00:00Z. It is UTC if no zone is given.

    Raises typer.BadParameter.
    """
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise typer.BadParameter(f"{typed!r} is not a time such as 2026-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
