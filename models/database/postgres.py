"""Makes every connection to PostgreSQL, with settings that nothing else can change.

Environment, role and database have no influence on them. What a text, a number or a commit means
must not depend on who started a process. So the URL alone says where PostgreSQL is, and this module
sets every setting that could change a meaning (docs/adr/0012). It hands out a connection only when
PostgreSQL meets our conditions.
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
    # The meaning of bytes and words, in both directions.
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
    # Checks and visibility.
    "row_security": "on",
    "check_function_bodies": "on",
    # The promises of a transaction. `default_transaction_read_only` is not here: an operator, or a
    # service whose disk is full, uses it to stop all writes, and we obey.
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "synchronous_commit": "on",
    "exit_on_error": "off",
    # Time limits are ours to set.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # An example is the warning when somebody ended a commit's wait for the standby: see
    # `Pipeline.warning`.
    "client_min_messages": "warning",
}
# The statement that sets all of them needs these first.
_FROM_THE_START = (
    *("search_path", "exit_on_error"),
    *("statement_timeout", "transaction_timeout", "idle_session_timeout"),
)

# The options of a URL may name another schema for our tables, as `-csearch_path=betting`.
_SCHEMA = "public"
_SEARCH_PATH = re.compile(r"(?:-c\s*|--)search[-_]path=((?:\\.|\S)+)", re.IGNORECASE)

# Secrets that do not belong in a URL, a name for pg_stat_activity, and how a server is trusted. If
# we ignored PGSSLMODE, a password could travel in clear.
_OBEYED = re.compile(
    r"PG(PASSWORD|PASSFILE|APPNAME|SSL\w+|GSS\w+|KRB\w+|REQUIREAUTH|CHANNELBINDING)"
)
# libpq also obeys these, but does not list them.
_UNLISTED = {"PGDATESTYLE", "PGTZ", "PGGEQO", "PGSERVICEFILE", "PGSYSCONFDIR"}
# On a local socket nobody is in between, so that no protection is necessary.
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
    """A connection with autocommit, for this use. `settings` are set on it besides ours.

    `wait_seconds` is the longest wait for an answer during the checks. Raises UnsupportedDatabase
    when PostgreSQL, the database or its tables do not meet our conditions. Raises
    psycopg.OperationalError or another LedgerError when PostgreSQL cannot be reached or asked.
    Raises psycopg.ProgrammingError when the URL cannot be read.
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
    """The parameters of the URL, as libpq reads them."""
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
    """A value escaped for libpq's `options`."""
    return re.sub(r"([\\\s])", r"\\\1", value)


def _leave_environment() -> None:
    """Remove the variables that libpq would obey and we do not."""
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
