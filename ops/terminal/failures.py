"""What an operator sees when a command fails: one line, no traceback."""

import sys

from models.errors import BetcoreError

# The base class of each library's errors, and of the packages that import nothing of ours. They are
# looked up after a failure. A library that is not imported has raised nothing, and importing all of
# them takes a second.
_DATABASE = ("sqlalchemy.exc", "DBAPIError")
_SQLALCHEMY = ("sqlalchemy.exc", "SQLAlchemyError")
_PSYCOPG = ("psycopg", "Error")
_REDIS = ("redis.exceptions", "RedisError")
_EMBEDDED = ("embedded.errors", "EmbeddedError")
_SERVER = ("server.errors", "ServerError")
_SETTINGS = ("settings", "BadSettings")
_METRICS = ("metrics.export", "CannotServeMetrics")
_TRACES = ("metrics.traces", "CannotTrace")


def failures(*more: type[BaseException]) -> tuple[type[BaseException], ...]:
    """Return the errors that are not bugs of ours, and `more`, for use with `except`."""
    libraries = (_SQLALCHEMY, _PSYCOPG, _REDIS, _EMBEDDED, _SERVER, _SETTINGS, _METRICS, _TRACES)
    found = (_imported(*library) for library in libraries)
    return (*more, BetcoreError, OSError, *(error for error in found if error is not None))


def in_one_line(failure: BaseException) -> str:
    """Return why it failed, without secrets: URLs of servers hold some.

    It is one line. Two errors have more: wrong settings have a line each, and a server that did not
    start adds the end of its log.
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
    """Return an error's class if its module has been imported, otherwise None."""
    return getattr(sys.modules.get(module), name, None)


def _is(failure: BaseException, error: tuple[str, str]) -> bool:
    kind = _imported(*error)
    return kind is not None and isinstance(failure, kind)


def _joined(failure: BaseException | None) -> str:
    return " ".join(str(failure).split()) or type(failure).__name__
