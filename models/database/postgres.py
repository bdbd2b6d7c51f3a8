"""Makes every connection to PostgreSQL: the same whatever environment, role and database say.

What a text, a number or a commit means must not depend on who started a process. So the URL alone
says where PostgreSQL is, and every setting that could change a meaning is set here
(docs/adr/0012). A connection is handed out once PostgreSQL is known to be as we need it.
"""

import logging
import os
import re
from collections.abc import Mapping
from functools import cache
from threading import Lock

import psycopg
from psycopg.abc import AdaptContext
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from models.database.pipeline import Pipeline
from models.database.preconditions import Use, check, judge_refusal
from models.errors import UnsupportedDatabase

_LOG = logging.getLogger("betcore.postgres")

_PINNED = {
    # What bytes and words mean, in both directions.
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "array_nulls": "on",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    # What is checked and seen.
    "row_security": "on",
    "check_function_bodies": "on",
    # What a transaction promises. `default_transaction_read_only` is not here: it is how an
    # operator, or a service whose disk is full, keeps everybody from writing, and we obey.
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "synchronous_commit": "on",
    "exit_on_error": "off",
    # How long something may take is ours to say.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # Such as that of a commit whose wait for the standby was ended by hand: see `Pipeline.warning`.
    "client_min_messages": "warning",
}
# The statement that sets all of them needs these before.
_FROM_THE_START = (
    *("search_path", "exit_on_error"),
    *("statement_timeout", "transaction_timeout", "idle_session_timeout"),
)

# The options of a URL may name another schema for our tables, as `-csearch_path=betting`.
_SCHEMA = "public"
_SEARCH_PATH = re.compile(r"(?:-c\s*|--)search[-_]path=((?:\\.|\S)+)", re.IGNORECASE)

# What does not belong into a URL; a name for pg_stat_activity; and how a server is trusted, because
# not to obey PGSSLMODE could send a password in clear.
_OBEYED = re.compile(
    r"PG(PASSWORD|PASSFILE|APPNAME|SSL\w+|GSS\w+|KRB\w+|REQUIREAUTH|CHANNELBINDING)"
)
# libpq obeys these as well, and does not list them.
_UNLISTED = {"PGDATESTYLE", "PGTZ", "PGGEQO", "PGSERVICEFILE", "PGSYSCONFDIR"}
# On a socket of this machine nobody is in between, so that there is nothing to demand.
_ON_A_SOCKET = {
    "sslmode": "disable",
    "sslnegotiation": "postgres",
    "sslcertmode": "disable",
    "ssl_min_protocol_version": "TLSv1.2",
    "ssl_max_protocol_version": "",
    "gssencmode": "disable",
    "channel_binding": "disable",
    "require_auth": "none,scram-sha-256,md5,password",
}
_ENVIRONMENT = Lock()


def connect(
    database_url: str,
    use: Use,
    *,
    connect_seconds: int,
    wait_seconds: float,
    settings: Mapping[str, str] | None = None,
    context: AdaptContext | None = None,
) -> psycopg.Connection:
    """A connection with autocommit, for this use; `settings` are set on it besides ours.

    `wait_seconds`: the longest wait for an answer while it is checked. Raises UnsupportedDatabase
    when PostgreSQL, the database or its tables are not as they have to be; psycopg.OperationalError
    or another LedgerError when it cannot be reached or asked; psycopg.ProgrammingError when the URL
    cannot be read.
    """
    said = _said(database_url)
    pinned = _PINNED | {"search_path": _search_path(said)} | dict(settings or {})
    _leave_environment()
    try:
        connection = psycopg.connect(
            **_parameters(said, use, pinned),  # type: ignore[arg-type]  # each is a text
            connect_timeout=connect_seconds,
            autocommit=True,
            context=context,
        )
    except psycopg.OperationalError as error:
        judge_refusal(str(error), use)
        raise
    try:
        if use is not Use.START:
            pipeline = Pipeline(connection, wait_seconds)
            check(connection.info, pipeline, use, pinned)
            pipeline.leave()
    except BaseException:
        connection.close()
        raise
    return connection


def _said(database_url: str) -> dict[str, str]:
    """What the URL says, as libpq reads it."""
    said = {name: str(value) for name, value in conninfo_to_dict(database_url).items()}
    if "service" in said:
        raise UnsupportedDatabase(
            "DATABASE_URL names a service; write host, user and database into the URL instead."
        )
    return said


def _parameters(said: Mapping[str, str], use: Use, pinned: Mapping[str, str]) -> dict[str, str]:
    hosts = said.get("hostaddr", said.get("host", "")).split(",")
    on_a_socket = all(not host or host[0] in "/@" for host in hosts)
    parameters = {"fallback_application_name": "betcore"}
    parameters |= {**(_ON_A_SOCKET if on_a_socket else {}), **said}
    options = " ".join(f"-c {name}={_escaped(pinned[name])}" for name in _FROM_THE_START)
    parameters["options"] = f"{said.get('options', '')} {options}".strip()  # the last one counts
    parameters["client_encoding"] = pinned["client_encoding"]
    if use.writes:
        parameters["target_session_attrs"] = "read-write"
    elif len(hosts) > 1 and use is Use.OPERATE:  # a primary and its standbys, in any order
        parameters.setdefault("target_session_attrs", "read-write")
    return parameters


def _search_path(said: Mapping[str, str]) -> str:
    named = _SEARCH_PATH.findall(said.get("options", ""))
    return re.sub(r"\\(.)", r"\1", named[-1]) if named else _SCHEMA


def _escaped(value: str) -> str:
    """A value as libpq's `options` want it."""
    return re.sub(r"([\\\s])", r"\\\1", value)


def _leave_environment() -> None:
    """Take away the variables that libpq would obey and that are not ours to obey."""
    with _ENVIRONMENT:
        stray = sorted(_known_variables() & os.environ.keys())
        for name in stray:
            del os.environ[name]
    if stray:
        _LOG.info("not obeyed: %s; DATABASE_URL says where PostgreSQL is", ", ".join(stray))


@cache
def _known_variables() -> frozenset[str]:
    listed = {option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    return frozenset(name for name in listed | _UNLISTED if not _OBEYED.fullmatch(name))
