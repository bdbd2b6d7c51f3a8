"""Rounds that are finished, the game of a bet, and the bets of a round (docs/adr/0031).

A gateway or worker of the older version runs on this schema: it knows none of it.
"""

from alembic import op
from sqlalchemy import text

revision = "0013"
down_revision = "0012"

# The column has no default, so no existing row is rewritten.
STATEMENTS = """
alter table bet add column if not exists game text;
create table if not exists finished_round (
    account_id bigint not null,
    provider_id integer not null,
    round_id text not null,
    created_at timestamp with time zone default now() not null,
    constraint finished_round_key primary key (account_id, provider_id, round_id)
) with (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000,
        autovacuum_freeze_min_age = 0);
grant insert (game) on bet to betcore_worker;
grant select on finished_round
    to betcore_gateway, betcore_worker, betcore_operator, betcore_reader;
grant insert (account_id, provider_id, round_id) on finished_round to betcore_worker
"""

#: Name, and what comes after it. The first one replaces `bet_round`.
INDEXES = (
    (
        "bet_of_round",
        """bet (hashtextextended(round_id, provider_id), (state = 'open'), account_id, id)
        where round_id is not null""",
    ),
    (
        "session_not_closed",
        "session (account_id, provider_id, expires_at) where closed_at is null",
    ),
)


def upgrade() -> None:
    """Add a column, a table and indexes. Bets wait for a moment only."""
    for statement in STATEMENTS.split(";\n"):
        op.execute(statement)
    patience = op.get_bind().execute(text("show lock_timeout")).scalar_one()
    # This commits the statements above, and thereby releases the locks. `concurrently` waits for
    # old transactions, and nobody waits for it.
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")  # nobody waits for what waits here
        for name, of in INDEXES:
            # A migration that was killed leaves an invalid index behind.
            op.execute(f"drop index concurrently if exists {name}")
            op.execute(f"create index concurrently {name} on {of}")
        op.execute("drop index concurrently if exists bet_round")
        op.execute(f"set lock_timeout = '{patience}'")


def downgrade() -> None:
    """Refuse: a stake could be taken in a finished round again. Raises RuntimeError."""
    raise RuntimeError("A migration does not open finished rounds again.")
