"""Reads REDIS_URL in one place, for the gateway's own connections and for those of redis-py.

redis-py passes every option of a URL to its connections. There an unknown option is a TypeError,
long after the start. The gateway's own connections (`broker/wire.py`) would ignore it. So this
module accepts only options that both obey, and refuses all others.
"""

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from redis import Connection, Redis
from redis import ConnectionPool as RedisPool
from redis.asyncio.connection import RedisSSLContext
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import RedisError
from redis.retry import Retry

from models.errors import BetcoreError

_EXAMPLE = "redis://user:password@host:6379/0"
_COMMON = frozenset(
    (
        *("db", "username", "password", "protocol", "health_check_interval"),
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive"),
    )
)
_TLS = frozenset(
    (
        *("ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_ca_path", "ssl_ca_data"),
        *("ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_min_version", "ssl_ciphers"),
        *("ssl_include_verify_flags", "ssl_exclude_verify_flags"),
    )
)
_ABOVE_0 = ("socket_timeout", "socket_connect_timeout")
_BOOLEANS = ("socket_keepalive", "ssl_check_hostname")
_BOOLEAN = frozenset(["true", "false", "yes", "no", "t", "f", "y", "n", "1", "0"])

Options = dict[str, Any]  # the arguments of a connection, by redis-py's names


class BadRedisUrl(BetcoreError):  # noqa: N818
    """REDIS_URL cannot be read."""


def read_redis_url(url: str) -> Options:
    """The arguments of a connection, for redis-py: host, port, db and so on.

    Raises BadRedisUrl. Its text is without the URL, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        # A character of the password may have ended the address. Then we would ask another server.
        if parts.fragment or ("@" in parts.query + parts.path and "@" not in parts.netloc):
            raise BadRedisUrl(
                "REDIS_URL cannot be read: in a user name or password, write / as %2F, ? as %3F "
                f"and # as %23; it looks like {_EXAMPLE}."
            )
        given = parse_qsl(parts.query, keep_blank_values=True)
        options: Options = dict(parse_url(url))  # type: ignore[no-untyped-call]
    except ValueError:
        raise _bad() from None
    _check_names(parts.scheme, [name for name, _ in given])
    for name, value in given:
        _check_value(name, value, options.get(name))
    if parts.scheme == "unix" and not options.get("path"):
        raise _bad()
    if parts.scheme != "unix" and parts.path not in ("", "/") and not parts.path[1:].isdigit():
        raise BadRedisUrl("REDIS_URL: the database after the host must be a number, as in /0.")
    return options


def tls_context(options: Options) -> ssl.SSLContext | None:
    """The TLS context for the server of these options, or None when they name no TLS.

    redis-py makes it, as for its own connections. Raises BadRedisUrl when that fails.
    """
    if not _is_tls(options):
        return None
    of_tls = {name.removeprefix("ssl_"): value for name, value in options.items() if name in _TLS}
    if not Path(of_tls.get("ca_path") or ".").is_dir():
        raise BadRedisUrl("REDIS_URL: ssl_ca_path is not a folder.")
    # The defaults of redis-py's TLS connection.
    defaults: Options = {"cert_reqs": "required", "check_hostname": True}
    try:
        return RedisSSLContext(**(defaults | of_tls)).get()
    except (OSError, ValueError, TypeError, RedisError) as error:
        raise BadRedisUrl(f"REDIS_URL: TLS cannot be used as it says: {error}.") from error


def no_retry() -> Retry:
    """For a command that must not be sent again: one without an answer may have been run."""
    return Retry(NoBackoff(), 0)


def connect_redis(url: str, **more: Any) -> Redis:
    """A redis-py client, which connects at its first use. Options of the URL override `more`.

    Raises BadRedisUrl.
    """
    return Redis.from_pool(redis_pool(url, **more))


def redis_pool(url: str, **more: Any) -> RedisPool:
    """The connection pool of a redis-py client, as in `connect_redis`."""
    return RedisPool(**({"connection_class": Connection} | more | read_redis_url(url)))


def _check_names(scheme: str, names: list[str]) -> None:
    for name in names:
        if name in _TLS and scheme != "rediss":
            raise BadRedisUrl(f"REDIS_URL: {name} is for TLS, which begins with rediss://.")
        if name not in _COMMON | _TLS:
            raise BadRedisUrl(
                f"REDIS_URL has the option {name}, which is not supported; these are: "
                f"{', '.join(sorted(_COMMON | _TLS))}."
            )
        if names.count(name) > 1:
            raise BadRedisUrl(f"REDIS_URL has the option {name} twice.")


def _check_value(name: str, text: str, value: Any) -> None:
    wrong = (
        not text
        or (name in _BOOLEANS and text.lower() not in _BOOLEAN)
        or (name in _ABOVE_0 and not 0 < value < float("inf"))
        or (name in ("db", "health_check_interval") and value < 0)
        or (name == "protocol" and value not in (2, 3))
    )
    if wrong:
        raise BadRedisUrl(f"REDIS_URL: the value of the option {name} cannot be used.")


def _is_tls(options: Options) -> bool:
    return options.get("connection_class") not in (None, Connection) and "path" not in options


def _bad() -> BadRedisUrl:
    return BadRedisUrl(f"REDIS_URL cannot be read; it looks like {_EXAMPLE}.")
