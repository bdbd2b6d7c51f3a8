"""Whether DATABASE_URL and REDIS_URL can be URLs of servers at all; said without repeating them."""

import psycopg
from psycopg.conninfo import conninfo_to_dict
from redis import ConnectionPool

from models.errors import BetcoreError
from settings import Settings


class BadUrl(BetcoreError):  # noqa: N818
    """A server's URL cannot be read."""


def readable(settings: Settings) -> Settings:
    """The settings, if those of their URLs that are set can be read. Raises BadUrl.

    The parsers' own messages are not shown: they quote the URL, which may hold a password.
    """
    if settings.database_url:
        try:
            conninfo_to_dict(settings.database_url)
        except psycopg.Error:
            raise _bad("DATABASE_URL", "postgresql://user:password@host/database") from None
        if not settings.database_url.startswith("postgresql://"):
            raise _bad("DATABASE_URL", "postgresql://user:password@host/database")
    if settings.redis_url:
        try:
            ConnectionPool.from_url(settings.redis_url)  # connects when it is used
        except ValueError:
            raise _bad("REDIS_URL", "redis://user:password@host:6379/0") from None
    return settings


def _bad(name: str, example: str) -> BadUrl:
    return BadUrl(f"{name} cannot be read; it looks like {example}.")
