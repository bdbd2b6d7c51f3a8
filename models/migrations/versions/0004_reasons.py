"""Why a bet was refused with 5: recorded with it (docs/adr/0015).

Bets that are here already have no reason. Neither has what a worker of an older version still
writes: it does not know the column.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

REASON = """
ALTER TABLE bet ADD COLUMN IF NOT EXISTS reason TEXT
"""

# A migration that was killed while it validated has left these behind, and is run again.
AGAIN = """
ALTER TABLE bet DROP CONSTRAINT IF EXISTS bet_reason_of_not_allowed
"""

# `NOT VALID` looks at no row that is here. Until it is validated it holds for every new row.
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
    """Add the column; bets wait only for that, not while the rows that are here are read."""
    op.execute(REASON)
    op.execute(AGAIN)
    op.execute(OF_NOT_ALLOWED)
    # Commits the above, and with it gives the lock back: validating reads every row, and bets can
    # be written meanwhile.
    with op.get_context().autocommit_block():
        op.execute(VALIDATE)


def downgrade() -> None:
    """Refuse: what was answered is never thrown away by a migration. Raises RuntimeError."""
    raise RuntimeError("A migration does not delete the reasons of refusals.")
