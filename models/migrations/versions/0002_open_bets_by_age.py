"""An index of open bets by age, with which operators find bets whose pay-out never came.

It has only open bets, so that it stays small. The price: an update that settles a bet now changes
an index, because the index's condition names the state.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

BET_OPEN = """
CREATE INDEX bet_open ON bet (provider_id, created_at, id) WHERE state = 'open'
"""


def upgrade() -> None:
    """Create the index. Bets cannot be written meanwhile."""
    op.execute(BET_OPEN)


def downgrade() -> None:
    """Drop the index."""
    op.execute("DROP INDEX bet_open")
