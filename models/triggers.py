"""What the tables need beyond columns and constraints: two functions, and the append-only triggers.

Attached to the metadata, so that a schema made from the declaration has them too; the migrations
repeat them, as they repeat everything, because history must not change when this file does.
"""

from sqlalchemy import DDL, event

from models.tables import Transfer

#: Raises when a guarded update did not change as many rows as it had to (models/queries.py).
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

_TABLES = ("transfer", "journal", "journal_start", "audit_log", "audit_start")
_TRIGGERS = [text.format(table=name) for name in _TABLES for text in (APPEND_ONLY, NOT_TRUNCATED)]

for _statement in (REQUIRE_ROWS, REFUSE_CHANGE, *_TRIGGERS):
    _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
    event.listen(Transfer.metadata, "after_create", _ddl)
