"""The conditions that PostgreSQL must meet, and their check in one round trip per connection.

Each refusal is one line that names the cause and the cure.
"""

import logging
import re
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path

import psycopg

from models.database.pipeline import Pipeline
from models.database.query import TEXTS, Query
from models.errors import LedgerError, UnsupportedDatabase

_LOG = logging.getLogger("betcore.postgres")

_VERSION_MIN = 170_000  # the first with `transaction_timeout`
_MIGRATIONS = Path(__file__).parents[1] / "migrations" / "versions"
_UNDEFINED_TABLE, _NO_PRIVILEGE = "42P01", "42501"


class Use(Enum):
    """The use of a connection, which determines its conditions."""

    SERVE = "bets"  # a server that takes writes; refuses tables older than the code
    READ = "balances"  # like SERVE, but it may be a replica
    OPERATE = "commands"  # any server the operator names, and exactly this version's tables
    MIGRATE = "tables"  # a server that takes writes, with any tables or none
    START = "a server"  # a server during its setup; nothing is checked

    @property
    def writes(self) -> bool:
        """Whether this use needs a server that takes writes."""
        return self in (Use.SERVE, Use.MIGRATE)


_POOLER = (
    "A connection pooler stands between betcore and PostgreSQL; connect to PostgreSQL itself,"
    " since prepared statements and transactions need a connection of their own."
)
READ_ONLY = (
    "PostgreSQL is read-only: it is a replica, or default_transaction_read_only is on there; name"
    " the primary in DATABASE_URL, or let it take writes."
)
_UNCHECKED = (
    "session_replication_role is %s, so that PostgreSQL checks no foreign key and no trigger:"
    " remove it with `alter role ... reset session_replication_role`, or `alter database ...`."
)
_OLDER = "The tables are of revision {found}; this version needs {known}: run `betcore migrate`."
UNKNOWN_REVISION = (
    "The tables are of a revision that this version of betcore does not know: use the version that"
    " made them."
)
_MISSING = "The database does not have the tables of this version: run `betcore migrate`."
_ELSEWHERE = (
    "The tables are in schema {found}, not where betcore looks for them: add"
    " options=-csearch_path%3D{found} to DATABASE_URL."
)

_NO_ROLE = (
    "The login {login} may not use the tables of betcore: an administrator must grant it the role"
    " for its purpose, such as `grant betcore_gateway to {login}`."
)
_SUPERUSER = (
    "this process logs in to PostgreSQL as the superuser {login}, who may do anything there: give"
    " it a login of its own (docs/OPERATIONS.md, Roles)"
)

# Settings that make PostgreSQL forget what it has confirmed, or damage it.
_RISKS = {"fsync": "off", "full_page_writes": "off", "zero_damaged_pages": "on"}

# Names are qualified, because a `search_path` might put other functions first. If this PostgreSQL
# no longer has a setting, nothing can change its meaning.
_ASK = """
select pg_catalog.pg_backend_pid(),
       pg_catalog.current_setting('session_replication_role'),
       (select pg_catalog.string_agg(risk.name || ' = ' || risk.value, ', ')
        from rows from (pg_catalog.unnest($3), pg_catalog.unnest($4)) risk(name, value)
        where pg_catalog.current_setting(risk.name, true) = risk.value),
       (select pg_catalog.count(pg_catalog.set_config(pinned.name, pinned.value, false))
        from rows from (pg_catalog.unnest($1), pg_catalog.unnest($2)) pinned(name, value)
        where pg_catalog.current_setting(pinned.name, true) is not null)
"""
_TYPES = (TEXTS, TEXTS, TEXTS, TEXTS)
_REVISION = ", (select pg_catalog.max(version_num) from alembic_version)"
# The schema of our tables, if they are not where we look for them. It is '' if this login may not
# look.
_SCHEMA = """,
       (select pg_catalog.min(case when pg_catalog.has_schema_privilege(space.oid, 'USAGE')
                                   then space.nspname::text else '' end)
        from pg_catalog.pg_class version
        join pg_catalog.pg_namespace space on space.oid = version.relnamespace
        join pg_catalog.pg_class transfer on transfer.relnamespace = version.relnamespace
        where version.relname = 'alembic_version' and transfer.relname = 'transfer'
          and pg_catalog.to_regclass('alembic_version') is null)
"""
_ASK_REVISION = Query(b"", _ASK + _REVISION, _TYPES)
_ASK_SCHEMA = Query(b"", _ASK + _SCHEMA, _TYPES)


def judge_refusal(message: str, use: Use) -> None:
    """Raise UnsupportedDatabase if a connection was refused for a cause that somebody must change.

    It compares words, because libpq gives nothing else. The first words are PgBouncer's.
    """
    if "unsupported startup parameter" in message:
        raise UnsupportedDatabase(_POOLER)
    if use.writes and "session is read-only" in message:
        raise UnsupportedDatabase(READ_ONLY)


def check(
    info: psycopg.ConnectionInfo, pipeline: Pipeline, use: Use, settings: Mapping[str, str]
) -> None:
    """Put `settings` on a new connection, and raise UnsupportedDatabase if it is not fit for `use`.

    It takes one round trip. It also raises what `Pipeline.run` raises.
    """
    _judge_greeting(info, use)
    no_role = _NO_ROLE.format(login=info.user)
    arguments = [*settings.keys()], [*settings.values()], [*_RISKS.keys()], [*_RISKS.values()]
    schema, revision = None, None
    try:
        if use is Use.MIGRATE:
            [(pid, replication_role, risks, _, schema)] = pipeline.ask(_ASK_SCHEMA, arguments)
        else:
            [(pid, replication_role, risks, _, revision)] = pipeline.ask(_ASK_REVISION, arguments)
    except LedgerError as error:
        if error.sqlstate == _NO_PRIVILEGE:
            raise UnsupportedDatabase(no_role) from error
        if error.sqlstate != _UNDEFINED_TABLE:
            raise
        [(pid, replication_role, risks, _, schema)] = pipeline.ask(_ASK_SCHEMA, arguments)
    if pid != str(info.backend_pid):
        raise UnsupportedDatabase(_POOLER)
    if replication_role != "origin":
        raise UnsupportedDatabase(_UNCHECKED % replication_role)
    if risks and use is Use.SERVE:
        _warn(f"PostgreSQL has {risks}: if its machine fails, bets that were answered may be lost")
    if schema:
        raise UnsupportedDatabase(_ELSEWHERE.format(found=schema))
    if use is not Use.MIGRATE:
        _judge_revision(revision, use, no_role if schema is not None else _MISSING)


@cache
def newest_revision() -> str:
    """The revision of the tables for which this version of the code is made.

    Alembic could report it too, but takes half a second to import.
    """
    return max(path.name[:4] for path in _MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.py"))


def _judge_greeting(info: psycopg.ConnectionInfo, use: Use) -> None:
    """Judge what PostgreSQL reported about itself while connecting."""
    if info.server_version < _VERSION_MIN:
        wanted, found = _VERSION_MIN // 10_000, info.server_version // 10_000
        raise UnsupportedDatabase(f"PostgreSQL {wanted} or newer is needed; this is {found}.")
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise UnsupportedDatabase(
            f"The encoding of database {info.dbname} is {encoding}, and betcore needs UTF8: make"
            " another one with `create database ... encoding 'UTF8' template template0`."
        )
    # Commands do not warn: scripts read their stderr, and they end soon.
    if use in (Use.SERVE, Use.READ) and info.parameter_status("is_superuser") == "on":
        _warn(_SUPERUSER.format(login=info.user))


def _judge_revision(found: str | None, use: Use, otherwise: str) -> None:
    known = newest_revision()
    if found is None:
        raise UnsupportedDatabase(otherwise)
    if not re.fullmatch(r"[0-9]{4}", found) or found < known:
        raise UnsupportedDatabase(_OLDER.format(found=found, known=known))
    if found > known and use is Use.OPERATE:
        raise UnsupportedDatabase(UNKNOWN_REVISION)
    if found > known:
        # Between `betcore migrate` and the restart of the last process this is expected.
        _warn(f"the tables are of revision {found}, newer than this process knows ({known})")


@cache
def _warn(message: str) -> None:
    """Log a message once per process."""
    _LOG.warning(message)
