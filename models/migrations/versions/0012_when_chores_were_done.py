"""When the ledger was last verified and sealed, and the database copied: for metrics and alerts.

This is no evidence. Everybody who may verify or copy may write it, also a reader.
"""

from alembic import op

revision = "0012"
down_revision = "0011"

LAST_DONE = """
CREATE TABLE last_done (
    chore TEXT NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT last_done_key PRIMARY KEY (chore),
    CONSTRAINT last_done_chore CHECK (chore in ('verify', 'seal', 'backup'))
)
"""

GRANT = """
grant select, insert (chore), update (done_at) on last_done to betcore_operator, betcore_reader
"""


def upgrade() -> None:
    """Create one table. Nothing waits for it."""
    op.execute(LAST_DONE)
    op.execute(GRANT)


def downgrade() -> None:
    """Drop the table. Nothing needs it but metrics."""
    op.execute("drop table last_done")
