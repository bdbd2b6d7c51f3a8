"""Before a migration: makes the roles, gives everything to one of them, and acts as that one.

Roles belong to the whole cluster, and several of its databases may be migrated at the same time. So
what another migration has just made is accepted. Privileges belong to the migrations.
"""

import psycopg
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError

from models.database.roles import (
    FUNCTIONS,
    OWNER,
    RIGHTS,
    ROLES,
    SEQUENCES,
    TEMPORARY,
    USERS,
    make_role,
)
from models.errors import BetcoreError

# The schema of our tables, as models/database/postgres.py has set it, quoted if necessary.
_SCHEMA = text("select trim(split_part(current_setting('search_path'), ',', 1))")

_MISSING_ROLES = text(
    "select name from unnest(cast(:roles as text[])) name where to_regrole(name) is null"
)

_MEMBER = f"{OWNER} to {{login}} with inherit true, set true"
_IS_MEMBER = text(f"select pg_has_role('{OWNER}', 'SET') and pg_has_role('{OWNER}', 'USAGE')")
_JOIN = f"""
do $$ begin
    execute format('grant {_MEMBER.format(login="%I")}', current_user);
exception when unique_violation or internal_error then null;  -- "tuple concurrently updated"
end $$
"""

_LET_CREATE = f"grant usage, create on schema {{schema}} to {OWNER}"
_MAY_CREATE = text(
    f"select has_schema_privilege('{OWNER}', cast(:schema as regnamespace), 'CREATE')"
)

# Sequences of identity columns follow their tables.
_NOT_OWNED = text("""
    select thing from (
        select case relkind when 'S' then 'sequence ' else 'table ' end || oid::regclass, relowner
        from pg_class
        where relnamespace = cast(:schema as regnamespace)
          and relname = any(cast(:relations as text[])) and relkind in ('r', 'p', 'S')
        union all
        select 'function ' || oid::regprocedure, proowner
        from pg_proc
        where pronamespace = cast(:schema as regnamespace)
          and proname = any(cast(:functions as text[]))
    ) ours(thing, owner)
    where pg_get_userbyid(owner) <> :owner and (:anybodys or not pg_has_role(owner, 'USAGE'))
""")

_OWNS_SCHEMA = text(
    "select pg_has_role(nspowner, 'USAGE') from pg_namespace"
    " where oid = cast(:schema as regnamespace)"
)
_CLOSE_SCHEMA = (
    "revoke all on schema {schema} from public",
    f"grant usage on schema {{schema}} to {', '.join(USERS)}",
)
_OWNS_DATABASE = text(
    "select pg_has_role(datdba, 'USAGE') from pg_database where datname = current_database()"
)
_CLOSE_DATABASE = (
    "revoke temporary on database {database} from public",
    f"grant temporary on database {{database}} to {', '.join(sorted(TEMPORARY))}",
)


class RolesNeeded(BetcoreError):  # noqa: N818 - the name says what is missing
    """An administrator has to make the roles: see `betcore migrate --print-roles`."""


def act_as_owner(connection: Connection) -> None:
    """From now on the connection acts as `betcore_owner`, which owns all our objects here.

    It makes the roles where they are missing, and commits. Raises RolesNeeded when this login may
    not do all that. The message lists the statements that an administrator has to run.
    """
    try:
        prepare(connection)
        _do(connection, f"set role {OWNER}")
    except DBAPIError as error:
        connection.rollback()
        if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise
        statements = "; ".join(statements_needed(connection))
        raise RolesNeeded(
            "This login may not prepare the database for a migration. An administrator has to run"
            f" this there once: {statements} (`betcore migrate --print-roles` prints the same)."
        ) from error


def statements_needed(connection: Connection) -> list[str]:
    """The statements that an administrator must run here so that this login can migrate."""
    schema, missing = _schema(connection), _missing_roles(connection)
    needed = [f"create role {role} nologin" for role in missing]
    if OWNER in missing or not connection.execute(_IS_MEMBER).scalar_one():
        login = connection.execute(text("select quote_ident(current_user)")).scalar_one()
        needed.append(f"grant {_MEMBER.format(login=login)}")
    if OWNER in missing or not _holds(connection, _MAY_CREATE, schema):
        needed.append(_LET_CREATE.format(schema=schema))
    foreign = _not_owned(connection, schema, anybodys=False)
    return needed + [f"alter {thing} owner to {OWNER}" for thing in foreign]


def prepare(connection: Connection) -> None:
    """Make the roles, give existing objects to the owner, and close the rest to the public.

    Each step is a separate transaction. Raises sqlalchemy.exc.DBAPIError.
    """
    # One transaction that locks two tables could deadlock with a bet that locks them in another
    # order.
    schema = _schema(connection)
    for role in _missing_roles(connection):
        _do(connection, make_role(role))
    if not connection.execute(_IS_MEMBER).scalar_one():
        _do(connection, _JOIN)
    if not _holds(connection, _MAY_CREATE, schema):
        _do(connection, _LET_CREATE.format(schema=schema))
    for thing in _not_owned(connection, schema, anybodys=True):
        _do(connection, f"alter {thing} owner to {OWNER}")
    if _holds(connection, _OWNS_SCHEMA, schema):
        for statement in _CLOSE_SCHEMA:
            _do(connection, statement.format(schema=schema))
    if connection.execute(_OWNS_DATABASE).scalar_one():
        name = text("select quote_ident(current_database())")
        database = connection.execute(name).scalar_one()
        for statement in _CLOSE_DATABASE:
            _do(connection, statement.format(database=database))


def _schema(connection: Connection) -> str:
    return str(connection.execute(_SCHEMA).scalar_one())


def _missing_roles(connection: Connection) -> list[str]:
    return list(connection.execute(_MISSING_ROLES, {"roles": list(ROLES)}).scalars())


def _holds(connection: Connection, question: TextClause, schema: str) -> bool:
    return bool(connection.execute(question, {"schema": schema}).scalar_one())


def _not_owned(connection: Connection, schema: str, *, anybodys: bool) -> list[str]:
    """Tables, sequences and functions of ours that another role owns.

    With `anybodys`, the result includes those that this login may itself give to the owner.
    """
    values = {
        "schema": schema,
        "relations": [*RIGHTS, *SEQUENCES],
        "functions": [function.partition("(")[0] for function in FUNCTIONS],
        "owner": OWNER,
        "anybodys": anybodys,
    }
    return list(connection.execute(_NOT_OWNED, values).scalars())


def _do(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))
    connection.commit()
