"""Open bets by age: how operators find those whose pay-out never came.

Only open bets are in it, so that it stays small. The price: an update that settles a bet is no
longer one that touches no index, as the index's condition names the state.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

BET_OPEN = """
CREATE INDEX bet_open ON bet (provider_id, created_at, id) WHERE state = 'open'
"""


def upgrade() -> None:
    """Make the index; bets cannot be written while it is made."""
    op.execute(BET_OPEN)


def downgrade() -> None:
    """Drop the index."""
    op.execute("DROP INDEX bet_open")
