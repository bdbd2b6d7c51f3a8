"""Times as text."""

from datetime import UTC, datetime


def utc(moment: datetime) -> str:
    """A time with its zone as RFC 3339 in UTC, such as `2026-01-31T23:59:59.123456Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
