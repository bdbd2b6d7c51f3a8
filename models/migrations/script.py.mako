"""${message}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Change the schema to this revision."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Change the schema back to the revision before."""
    ${downgrades if downgrades else "pass"}
