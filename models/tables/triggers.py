"""What the tables need beyond columns and constraints: functions and triggers.

They are attached to the metadata, so that a schema made from the declaration has them too. The
migrations repeat them, because history must not change when this file does.
"""

from sqlalchemy import DDL, event

from models.tables import Transfer

#: Raises when a guarded update did not change the expected number of rows (models/ledger/write.py).
REQUIRE_ROWS = """
create function require_rows(actual bigint, expected bigint) returns void language plpgsql as $$
begin
    if actual <> expected then
        raise exception 'guarded update: % rows changed, % expected', actual, expected
            using errcode = 'serialization_failure';
    end if;
end $$
"""

#: Corrections are new rows. This function refuses every other change, by any role.
REFUSE_CHANGE = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are append-only: % refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation', constraint = tg_table_name || '_append_only';
end $$
"""

APPEND_ONLY = """
create trigger {table}_append_only before update or delete on {table}
for each row execute function refuse_change()
"""

NOT_TRUNCATED = """
create trigger {table}_not_truncated before truncate on {table}
for each statement execute function refuse_change()
"""

#: Returns when nobody is within a transaction on these accounts: it could lock all of them. It
#: keeps no lock, because a subtransaction that is undone releases it. It runs as its owner, so that
#: a caller needs no right to change an account. For that reason it looks up names only in
#: PostgreSQL's own schema and in the schema of our tables.
ACCOUNTS_SETTLED = """
create function accounts_settled(ids bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform id from {schema}.account where id = any(ids) order by id for no key update;
    raise exception using errcode = 'BC001';
exception when sqlstate 'BC001' then null;
end $$
"""

#: So a role that opens accounts needs no right to set a balance.
ACCOUNT_BEGINS_EMPTY = """
create function account_begins_empty() returns trigger language plpgsql as $$
begin
    if new.kind = 'player' then
        new.balance := coalesce(new.balance, 0);
    end if;
    return new;
end $$
"""

ACCOUNT_BEGINS_EMPTY_TRIGGER = """
create trigger account_begins_empty before insert on account
for each row execute function account_begins_empty()
"""

_TABLES = ("transfer", "journal", "journal_start", "audit_log", "audit_start")
_TRIGGERS = [text.format(table=name) for name in _TABLES for text in (APPEND_ONLY, NOT_TRUNCATED)]

_FUNCTIONS = (
    REQUIRE_ROWS,
    REFUSE_CHANGE,
    ACCOUNTS_SETTLED.format(schema="public"),
    ACCOUNT_BEGINS_EMPTY,
)
for _statement in (*_FUNCTIONS, ACCOUNT_BEGINS_EMPTY_TRIGGER, *_TRIGGERS):
    _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
    event.listen(Transfer.metadata, "after_create", _ddl)
