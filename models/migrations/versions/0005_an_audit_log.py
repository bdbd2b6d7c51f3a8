"""The audit log, and a journal that vouches for it and for rejected bets (docs/adr/0016).

Existing rows have no entry, and older rejected bets are in no row of the journal. The start records
up to where this may be so. `betcore ledger adopt` vouches for them.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

AUDIT_LOG = """
CREATE TABLE audit_log (
    id BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject_table TEXT NOT NULL,
    subject TEXT NOT NULL,
    facts JSONB NOT NULL,
    note TEXT,
    CONSTRAINT audit_log_key PRIMARY KEY (id),
    CONSTRAINT audit_log_id_from_one CHECK (id > 0),
    CONSTRAINT audit_log_facts_named CHECK (jsonb_typeof(facts) = 'object')
)
"""

AUDIT_START = """
CREATE TABLE audit_start (
    kind TEXT NOT NULL,
    until BIGINT NOT NULL,
    CONSTRAINT audit_start_key PRIMARY KEY (kind)
)
"""

# Operators' commands of the older version may still run. Their ids may be drawn but not yet
# visible.
ID_START = """
INSERT INTO audit_start (kind, until)
SELECT '{table}', greatest(
    (SELECT max(id) FROM {table}),
    pg_sequence_last_value(pg_get_serial_sequence('{table}', 'id')),
    0
)
"""

# Sessions have random ids, so their time counts. Ids of bets are drawn in blocks of 1000.
OTHER_STARTS = """
INSERT INTO audit_start (kind, until)
SELECT 'session', CASE WHEN EXISTS (SELECT FROM session)
                  THEN (extract(epoch FROM now()) * 1000000)::bigint ELSE 0 END
UNION ALL
SELECT 'bet', CASE WHEN is_called THEN last_value + 999 ELSE 0 END FROM ledger_ids
"""

JOURNAL_OF_MORE = """
ALTER TABLE journal
    ADD COLUMN bets BIGINT[],
    ADD COLUMN entries BIGINT[],
    DROP CONSTRAINT journal_names_transfers,
    ADD CONSTRAINT journal_names_records CHECK (
        cardinality(transfers) + coalesce(cardinality(bets), 0)
        + coalesce(cardinality(entries), 0) > 0
    ),
    ADD CONSTRAINT journal_of_one_side CHECK (
        entries is null or cardinality(transfers) = 0 and bets is null
    )
"""

APPEND_ONLY = """
create trigger {table}_append_only before update or delete on {table}
for each row execute function refuse_change()
"""

NOT_TRUNCATED = """
create trigger {table}_not_truncated before truncate on {table}
for each statement execute function refuse_change()
"""


def upgrade() -> None:
    """Create the audit log. Batches wait only while the journal gets its columns."""
    op.execute(AUDIT_LOG)
    op.execute(AUDIT_START)
    for table in ("provider", "provider_secret", "player", "account"):
        op.execute(ID_START.format(table=table))
    op.execute(OTHER_STARTS)
    for table in ("audit_log", "audit_start"):
        op.execute(APPEND_ONLY.format(table=table))
        op.execute(NOT_TRUNCATED.format(table=table))
    op.execute(JOURNAL_OF_MORE)


def downgrade() -> None:
    """Refuse: a migration never deletes evidence. Raises RuntimeError."""
    raise RuntimeError("A migration does not delete the audit log.")
