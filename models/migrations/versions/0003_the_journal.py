"""The journal of transfers, and where it begins (docs/adr/0010).

Transfers that already exist are older than the journal. So are those that a worker of an older
version still writes with ids it has drawn. The start is therefore the last id that anybody may have
drawn so far.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

JOURNAL = """
CREATE TABLE journal (
    strand UUID NOT NULL,
    number BIGINT NOT NULL,
    key TEXT NOT NULL,
    transfers BIGINT[] NOT NULL,
    fingerprints BYTEA NOT NULL,
    hmac BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT journal_key PRIMARY KEY (strand, number),
    CONSTRAINT journal_number_from_one CHECK (number > 0),
    CONSTRAINT journal_names_transfers CHECK (cardinality(transfers) > 0),
    CONSTRAINT journal_hmac_length CHECK (octet_length(hmac) = 32)
)
"""

JOURNAL_START = """
CREATE TABLE journal_start (
    transfer_id BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT journal_start_key PRIMARY KEY (transfer_id)
)
"""

# Ids are drawn in blocks of 1000.
START = """
INSERT INTO journal_start (transfer_id)
SELECT CASE WHEN is_called THEN last_value + 999 ELSE 0 END FROM ledger_ids
"""

REFUSE_CHANGE = """
create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are append-only: % refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation', constraint = tg_table_name || '_append_only';
end $$
"""

JOURNAL_APPEND_ONLY = """
create trigger journal_append_only before update or delete on journal
for each row execute function refuse_change()
"""

JOURNAL_NOT_TRUNCATED = """
create trigger journal_not_truncated before truncate on journal
for each statement execute function refuse_change()
"""

JOURNAL_START_APPEND_ONLY = """
create trigger journal_start_append_only before update or delete on journal_start
for each row execute function refuse_change()
"""

JOURNAL_START_NOT_TRUNCATED = """
create trigger journal_start_not_truncated before truncate on journal_start
for each statement execute function refuse_change()
"""


def upgrade() -> None:
    """Create the journal. No write waits for it."""
    for statement in (
        JOURNAL,
        JOURNAL_START,
        START,
        REFUSE_CHANGE,
        JOURNAL_APPEND_ONLY,
        JOURNAL_NOT_TRUNCATED,
        JOURNAL_START_APPEND_ONLY,
        JOURNAL_START_NOT_TRUNCATED,
    ):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: a migration never deletes evidence. Raises RuntimeError."""
    raise RuntimeError("A migration does not delete the journal.")
