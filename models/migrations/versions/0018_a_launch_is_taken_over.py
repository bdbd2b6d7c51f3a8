"""A repeat that launches a session again notes when it began (models/directory/idempotency.py)."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Grant one column. Nothing waits for it."""
    op.execute("grant update (created_at) on idempotent_request to betcore_operator")


def downgrade() -> None:
    """Take it back. Nothing needs it but the operator API of this version."""
    op.execute("revoke update (created_at) on idempotent_request from betcore_operator")
