"""What gateways did in each minute of the last day, for the console (docs/adr/0036)."""

from alembic import op

revision = "0016"
down_revision = "0015"

GATEWAY_MINUTE = """
CREATE TABLE gateway_minute (
    minute TIMESTAMP WITH TIME ZONE NOT NULL,
    answers BIGINT NOT NULL,
    figures JSONB NOT NULL,
    CONSTRAINT gateway_minute_key PRIMARY KEY (minute)
)
"""

GRANTS = """
grant select, insert (minute, answers, figures), update (answers, figures)
    on gateway_minute to betcore_operator;
grant select on gateway_minute to betcore_reader
"""


def upgrade() -> None:
    """Create one table. Nothing waits for it."""
    for statement in (GATEWAY_MINUTE, *GRANTS.split(";\n")):
        op.execute(statement)


def downgrade() -> None:
    """Drop the table. Nothing needs it but the console's live figures."""
    op.execute("drop table gateway_minute")
