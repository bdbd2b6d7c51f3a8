"""The journal vouches for finished rounds (docs/adr/0037).

A worker of the older version runs on this schema. The rounds that it finishes have no id and are in
no row of the journal, like those that are finished already. `betcore ledger adopt` vouches for
them.
"""

from alembic import op
from sqlalchemy import text

revision = "0017"
down_revision = "0016"

# The columns have no default, so no existing row is rewritten.
STATEMENTS = """
alter table finished_round
    add column if not exists id bigint,
    add column if not exists account_seq bigint;
alter table journal
    add column if not exists rounds bigint[],
    drop constraint if exists journal_names_records,
    drop constraint if exists journal_of_one_side,
    add constraint journal_names_records check (
        cardinality(transfers) + coalesce(cardinality(bets), 0)
        + coalesce(cardinality(entries), 0) + coalesce(cardinality(rounds), 0) > 0
    ) not valid,
    add constraint journal_of_one_side check (
        entries is null or cardinality(transfers) = 0 and bets is null and rounds is null
    ) not valid;
grant insert (id, account_seq) on finished_round to betcore_worker;
grant update (id) on finished_round to betcore_operator;
grant insert (rounds) on journal to betcore_worker, betcore_operator
"""

#: These read long tables, while bets go on.
SLOW = (
    "alter table journal validate constraint journal_names_records",
    "alter table journal validate constraint journal_of_one_side",
    # A migration that was killed leaves an invalid index behind.
    "drop index concurrently if exists finished_round_id",
    "create unique index concurrently finished_round_id on finished_round (id)",
)


def upgrade() -> None:
    """Add three columns and an index. Bets wait for a moment only."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
    patience = op.get_bind().execute(text("show lock_timeout")).scalar_one()
    # This commits the statements above, and thereby releases the locks. What follows waits for old
    # transactions, and nobody waits for it.
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        for statement in SLOW:
            op.execute(statement)
        op.execute(f"set lock_timeout = '{patience}'")


def downgrade() -> None:
    """Refuse: a migration never deletes evidence. Raises RuntimeError."""
    raise RuntimeError("A migration does not delete what vouches for finished rounds.")
