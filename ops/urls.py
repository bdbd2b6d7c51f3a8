"""Checks that the servers' URLs and the keys can be read. Errors do not quote them."""

from collections.abc import Callable
from functools import partial

import psycopg
from psycopg.conninfo import conninfo_to_dict

from broker.redis_url import read_redis_url, tls_context
from models.errors import BetcoreError
from models.keys import Purpose, find_ring, require_distinct
from settings import BadSettings, Settings


class BadUrl(BetcoreError):  # noqa: N818
    """A server's URL cannot be read."""


def readable(settings: Settings) -> Settings:
    """Return the settings if those URLs and keys that are set can be read.

    Raises BadUrl, BadRedisUrl or BadKey. If there are several faults, raises BadSettings with a
    line for each.
    """
    found = faults(settings)
    if len(found) > 1:
        raise BadSettings("\n".join(str(fault) for fault in found))
    if found:
        raise found[0]
    return settings


def faults(settings: Settings) -> list[BetcoreError]:
    """Everything that is wrong with the URLs and keys of the settings. Nothing quotes them.

    The parsers' own messages are not shown, because a URL may hold a password.
    """
    checks: list[Callable[[Settings], object]] = [
        *(_read_database_url, _read_database_read_url, _read_redis_url),
        *(partial(find_ring, purpose=purpose) for purpose in Purpose),
        require_distinct,
    ]
    found: dict[str, BetcoreError] = {}  # by its text: a key that cannot be read fails two checks
    for check in checks:
        try:
            check(settings)
        except BetcoreError as fault:
            found.setdefault(str(fault), fault)
    return list(found.values())


def _read_database_url(settings: Settings) -> None:
    _require_postgresql("DATABASE_URL", settings.database_url)


def _read_database_read_url(settings: Settings) -> None:
    _require_postgresql("DATABASE_READ_URL", settings.database_read_url)


def _read_redis_url(settings: Settings) -> None:
    if settings.redis_url:
        tls_context(read_redis_url(settings.redis_url))  # the first connection needs both


def _require_postgresql(variable: str, url: str) -> None:
    """Raise BadUrl for a URL that is set and that libpq cannot read."""
    example = "it looks like postgresql://user:password@host/bets."
    try:
        is_read = not url or (bool(conninfo_to_dict(url)) and url.startswith("postgresql://"))
    except psycopg.Error:
        is_read = False
    if not is_read:
        raise BadUrl(f"{variable} cannot be read; {example}")
