"""The reason why a bet was refused with 5, recorded with the bet (docs/adr/0015).

Existing bets have no reason. Neither have bets that a worker of an older version still writes: it
does not know the column.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

REASON = """
ALTER TABLE bet ADD COLUMN IF NOT EXISTS reason TEXT
"""

# A migration that was killed while it validated leaves this constraint behind, and runs again.
AGAIN = """
ALTER TABLE bet DROP CONSTRAINT IF EXISTS bet_reason_of_not_allowed
"""

# `NOT VALID` checks no existing row. Until it is validated, it holds for every new row.
OF_NOT_ALLOWED = """
ALTER TABLE bet ADD CONSTRAINT bet_reason_of_not_allowed CHECK (
    reason is null or (refused_with is not distinct from 5 and reason in
    ('player_blocked', 'provider_suspended', 'below_limit', 'above_limit'))
) NOT VALID
"""

VALIDATE = """
ALTER TABLE bet VALIDATE CONSTRAINT bet_reason_of_not_allowed
"""


def upgrade() -> None:
    """Add the column. Bets wait only for that, and not while existing rows are read."""
    op.execute(REASON)
    op.execute(AGAIN)
    op.execute(OF_NOT_ALLOWED)
    # This commits the statements above, and thereby releases the lock. Validation reads every row,
    # and bets can be written meanwhile.
    with op.get_context().autocommit_block():
        op.execute(VALIDATE)


def downgrade() -> None:
    """Refuse: a migration never deletes what was answered. Raises RuntimeError."""
    raise RuntimeError("A migration does not delete the reasons of refusals.")
