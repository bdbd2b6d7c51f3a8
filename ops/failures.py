"""What an operator is told when a command fails: one line, no traceback."""

import sys

from models.errors import BetcoreError

# The base of each library's errors, and of rooms that import nothing of ours. They are looked up
# when something has failed: a library that is not imported has raised nothing, and importing them
# all takes a second.
_DATABASE = ("sqlalchemy.exc", "DBAPIError")
_SQLALCHEMY = ("sqlalchemy.exc", "SQLAlchemyError")
_PSYCOPG = ("psycopg", "Error")
_REDIS = ("redis.exceptions", "RedisError")
_EMBEDDED = ("embedded.errors", "EmbeddedError")
_SERVER = ("server.errors", "ServerError")
_SETTINGS = ("settings", "BadSettings")


def failures(*more: type[BaseException]) -> tuple[type[BaseException], ...]:
    """What can go wrong without being a mistake of ours, for `except`; and `more`."""
    libraries = (_SQLALCHEMY, _PSYCOPG, _REDIS, _EMBEDDED, _SERVER, _SETTINGS)
    found = (_imported(*library) for library in libraries)
    return (*more, BetcoreError, OSError, *(error for error in found if error is not None))


def in_one_line(failure: BaseException) -> str:
    """Why it failed; no secret, as URLs of servers are.

    Only wrong settings have a line each, and a server that did not start adds the end of its log.
    """
    if _is(failure, _EMBEDDED):
        return str(failure)
    if _is(failure, _SETTINGS):
        return str(failure).replace("\n", "\nbetcore: ")
    if _is(failure, _DATABASE):
        return f"PostgreSQL: {_joined(getattr(failure, 'orig', None))}"
    if _is(failure, _SQLALCHEMY):
        return "DATABASE_URL is not the URL of a PostgreSQL database: postgresql://..."
    if _is(failure, _PSYCOPG):
        return f"PostgreSQL: {_joined(failure)}"
    if _is(failure, _REDIS):
        return f"Redis: {_joined(failure)}"
    return _joined(failure)


def _imported(module: str, name: str) -> type[BaseException] | None:
    """An error's class, if its module has been imported."""
    return getattr(sys.modules.get(module), name, None)


def _is(failure: BaseException, error: tuple[str, str]) -> bool:
    kind = _imported(*error)
    return kind is not None and isinstance(failure, kind)


def _joined(failure: BaseException | None) -> str:
    return " ".join(str(failure).split()) or type(failure).__name__
