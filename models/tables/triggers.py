"""What the tables need beyond columns and constraints: functions and triggers.

Attached to the metadata, so that a schema made from the declaration has them too; the migrations
repeat them, as they repeat everything, because history must not change when this file does.
"""

from sqlalchemy import DDL, event

from models.tables import Transfer

#: Raises when a guarded update did not change as many rows as it had to (models/ledger/write.py).
REQUIRE_ROWS = """
create function require_rows(actual bigint, expected bigint) returns void language plpgsql as $$
begin
    if actual <> expected then
        raise exception 'guarded update: % rows changed, % expected', actual, expected
            using errcode = 'serialization_failure';
    end if;
end $$
"""

#: Corrections are new rows; this refuses everything else, whoever asks.
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

#: Returns once nobody is in the midst of a transaction on these accounts: all of them could be
#: locked. It keeps no lock, because a subtransaction that is undone gives it back. It runs as its
#: owner, so that who asks needs no right to change an account; so it looks up names nowhere but
#: where PostgreSQL's own are, and in the schema of our tables.
ACCOUNTS_SETTLED = """
create function accounts_settled(ids bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform id from {schema}.account where id = any(ids) order by id for no key update;
    raise exception using errcode = 'BC001';
exception when sqlstate 'BC001' then null;
end $$
"""

#: So that who opens accounts needs no right to say what is on them.
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
