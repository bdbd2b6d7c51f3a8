"""What an operator is told when a command fails: one line, no traceback."""

import psycopg
from pydantic import ValidationError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from models.errors import BetcoreError
from ops.embedded import EmbeddedError

#: All that can go wrong without being a mistake of ours.
FAILURES = (
    BetcoreError,
    EmbeddedError,
    ValidationError,
    SQLAlchemyError,
    psycopg.Error,
    RedisError,
    OSError,
)


def in_one_line(failure: BaseException) -> str:
    """Why it failed; no secret, as URLs of servers are.

    Only a server that did not start adds the end of its log, on lines of its own.
    """
    match failure:
        case EmbeddedError():
            return str(failure)
        case ValidationError():
            return "; ".join(_setting(error["loc"], error["msg"]) for error in failure.errors())
        case DBAPIError():
            return f"PostgreSQL: {_joined(failure.orig)}"
        case SQLAlchemyError():
            return "DATABASE_URL is not the URL of a PostgreSQL database: postgresql://..."
        case psycopg.Error():
            return f"PostgreSQL: {_joined(failure)}"
        case RedisError():
            return f"Redis: {_joined(failure)}"
        case _:
            return _joined(failure)


def _setting(location: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(part) for part in location)
    return f"{name if name.isupper() else f'BETCORE_{name.upper()}'}: {message}"


def _joined(failure: BaseException | None) -> str:
    return " ".join(str(failure).split()) or type(failure).__name__
