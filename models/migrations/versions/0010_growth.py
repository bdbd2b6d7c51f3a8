"""For tables that grow for years (docs/adr/0025): finding a month, and freezing rows once.

The indexes are made by blocks of the table (BRIN). They take some kilobytes per gigabyte. Reports
about a period then read only the blocks of that period.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

TABLES = ("transfer", "bet")

# `concurrently` waits for old transactions, and nobody waits for it. An interrupted one leaves an
# index that is not valid, so the index is dropped first.
DROP = "drop index concurrently if exists {table}_by_time"
CREATE = """
create index concurrently {table}_by_time on {table} using brin (created_at)
with (pages_per_range = 32, autosummarize = on)
"""

# Rows of these tables never change. So PostgreSQL may freeze them at the first vacuum, and never
# visits their pages again. It vacuums after every million rows, and not after a fifth of the table.
VACUUM = """
alter table {table} set (autovacuum_vacuum_insert_scale_factor = 0,
                         autovacuum_vacuum_insert_threshold = 1000000,
                         autovacuum_freeze_min_age = 0)
"""


def upgrade() -> None:
    """Make the indexes without stopping a bet, and set when to vacuum."""
    for table in ("transfer", "journal"):
        op.execute(VACUUM.format(table=table))
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")  # nobody waits for what waits here
        for table in TABLES:
            op.execute(DROP.format(table=table))
            op.execute(CREATE.format(table=table))


def downgrade() -> None:
    """Drop the indexes, and let PostgreSQL decide again."""
    for table in ("transfer", "journal"):
        op.execute(
            f"alter table {table} reset (autovacuum_vacuum_insert_scale_factor,"
            " autovacuum_vacuum_insert_threshold, autovacuum_freeze_min_age)"
        )
    with op.get_context().autocommit_block():
        for table in TABLES:
            op.execute(DROP.format(table=table))
