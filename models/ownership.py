"""Before a migration: the roles exist, one of them owns everything, and we act as that one.

Roles belong to the cluster, and several databases of one cluster may be migrated at the same time:
what the other has just made is taken as it is. Privileges are the migrations' business.
"""

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from models.errors import BetcoreError
from models.roles import FUNCTIONS, OWNER, ROLES, SEQUENCES, TEMPORARY, USERS, make_role

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

_LET_CREATE = f"grant usage, create on schema public to {OWNER}"
_MAY_CREATE = text(f"select has_schema_privilege('{OWNER}', 'public', 'CREATE')")

# Sequences of identity columns go with their tables.
_NOT_OWNED = text("""
    select thing from (
        select case relkind when 'S' then 'sequence ' else 'table ' end || oid::regclass, relowner
        from pg_class
        where relnamespace = 'public'::regnamespace and relname = any(cast(:relations as text[]))
          and relkind in ('r', 'p', 'S')
        union all
        select 'function ' || oid::regprocedure, proowner
        from pg_proc
        where pronamespace = 'public'::regnamespace and proname = any(cast(:functions as text[]))
    ) ours(thing, owner)
    where pg_get_userbyid(owner) <> :owner and (:anybodys or not pg_has_role(owner, 'USAGE'))
""")

# The owner of a database is a member of this role there.
_OWNS_DATABASE = text("select pg_has_role('pg_database_owner', 'USAGE')")
_CLOSE_TO_THE_PUBLIC = f"""
do $$ begin
    revoke all on schema public from public;
    grant usage on schema public to {", ".join(USERS)};
    execute format('revoke temporary on database %I from public', current_database());
    execute format('grant temporary on database %I to {", ".join(sorted(TEMPORARY))}',
                   current_database());
end $$
"""


class RolesNeeded(BetcoreError):  # noqa: N818 - named for what is missing
    """An administrator has to make the roles: see `betcore migrate --print-roles`."""


def act_as_owner(connection: Connection) -> None:
    """From now on the connection acts as `betcore_owner`, which owns all that is ours here.

    Makes the roles where they are missing, and commits. Raises RolesNeeded when this login may not
    do all that; the message says what an administrator has to run.
    """
    try:
        _prepare(connection)
        connection.execute(text(f"set role {OWNER}"))
        connection.commit()
    except DBAPIError as error:
        connection.rollback()
        if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise
        statements = "; ".join(statements_needed(connection))
        raise RolesNeeded(
            f"This login may not prepare the database for a migration: an administrator has to run"
            f" there, once: {statements};"
            " (betcore migrate --print-roles prints this, a statement on each line)"
        ) from error


def statements_needed(connection: Connection) -> list[str]:
    """What an administrator has to run in this database so that this login can migrate."""
    missing = _missing_roles(connection)
    needed = [f"create role {role} nologin" for role in missing]
    if OWNER in missing or not connection.execute(_IS_MEMBER).scalar_one():
        login = connection.execute(text("select quote_ident(current_user)")).scalar_one()
        needed.append(f"grant {_MEMBER.format(login=login)}")
    if OWNER in missing or not connection.execute(_MAY_CREATE).scalar_one():
        needed.append(_LET_CREATE)
    foreign = _not_owned(connection, anybodys=False)
    return needed + [f"alter {thing} owner to {OWNER}" for thing in foreign]


def _prepare(connection: Connection) -> None:
    """Make and own what is needed; each step alone.

    Two tables locked by one transaction could meet a bet that locks them in another order.
    """
    for role in _missing_roles(connection):
        _do(connection, make_role(role))
    if not connection.execute(_IS_MEMBER).scalar_one():
        _do(connection, _JOIN)
    if not connection.execute(_MAY_CREATE).scalar_one():
        _do(connection, _LET_CREATE)
    for thing in _not_owned(connection, anybodys=True):
        _do(connection, f"alter {thing} owner to {OWNER}")
    if connection.execute(_OWNS_DATABASE).scalar_one():
        _do(connection, _CLOSE_TO_THE_PUBLIC)


def _missing_roles(connection: Connection) -> list[str]:
    return list(connection.execute(_MISSING_ROLES, {"roles": list(ROLES)}).scalars())


def _not_owned(connection: Connection, *, anybodys: bool) -> list[str]:
    """Tables, sequences and functions of ours that another role owns.

    `anybodys`: also those that this login may give to the owner itself.
    """
    values = {
        "relations": [*SQLModel.metadata.tables, "alembic_version", *SEQUENCES],
        "functions": [function.partition("(")[0] for function in FUNCTIONS],
        "owner": OWNER,
        "anybodys": anybodys,
    }
    return list(connection.execute(_NOT_OWNED, values).scalars())


def _do(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))
    connection.commit()
