"""Checks that DATABASE_URL and REDIS_URL can be read. Errors do not quote them."""

import psycopg
from psycopg.conninfo import conninfo_to_dict

from broker.redis_url import read_redis_url, tls_context
from models.errors import BetcoreError
from settings import Settings


class BadUrl(BetcoreError):  # noqa: N818
    """A server's URL cannot be read."""


def readable(settings: Settings) -> Settings:
    """Return the settings if those URLs that are set can be read. Raises BadUrl or BadRedisUrl.

    The parsers' own messages are not shown: they quote the URL, which may hold a password.
    """
    if settings.database_url:
        try:
            conninfo_to_dict(settings.database_url)
        except psycopg.Error:
            raise _bad_database_url() from None
        if not settings.database_url.startswith("postgresql://"):
            raise _bad_database_url()
    if settings.redis_url:
        tls_context(read_redis_url(settings.redis_url))  # the first connection needs both
    return settings


def _bad_database_url() -> BadUrl:
    return BadUrl(
        "DATABASE_URL cannot be read; it looks like postgresql://user:password@host/bets."
    )
