"""What a provider may do: lock, networks, rate, largest wins; and indexes for the search of bets.

Every new column allows everything, so providers go on as before. Gateways and workers of the older
version run on this schema: they know none of it (docs/adr/0024).
"""

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"

# The defaults are constants, so that no existing row is rewritten.
COLUMNS = """
alter table provider
    add column if not exists locked boolean default false not null,
    add column if not exists networks text[],
    add column if not exists rate_max integer;
alter table account
    add column if not exists max_win numeric(33, 18),
    add column if not exists max_daily_win numeric(48, 18);
create table if not exists win_day (
    account_id bigint not null,
    day date not null,
    total numeric(48, 18) default 0 not null,
    constraint win_day_key primary key (account_id, day),
    constraint win_day_account_id_exists foreign key (account_id) references account (id),
    constraint win_day_not_negative check (total >= 0 and total <> 'NaN')
)
"""

REASONS = """reason is null or (refused_with is not distinct from 5 and reason in
    ('player_blocked', 'provider_suspended', 'below_limit', 'above_limit',
    'win_above_limit', 'win_above_daily_limit'))"""

#: Name, table and condition. `NOT VALID` checks no existing row, but every new one.
CONSTRAINTS = (
    ("provider_networks_few", "provider", "cardinality(networks) between 1 and 64"),
    ("provider_rate_positive", "provider", "rate_max > 0"),
    ("account_max_win_not_negative", "account", "max_win >= 0 and max_win <> 'NaN'"),
    (
        "account_max_daily_win_not_negative",
        "account",
        "max_daily_win >= 0 and max_daily_win <> 'NaN'",
    ),
    (
        "account_wins_of_house",
        "account",
        "kind = 'house' or (max_win is null and max_daily_win is null)",
    ),
    ("bet_reason_of_not_allowed", "bet", REASONS),
)

#: Name, and what comes after it: for the search of bets (models/reports/bets.py, bet_life.py).
INDEXES = (
    ("bet_round", "bet using hash (round_id) where round_id is not null"),
    ("bet_rejected", "bet (account_id, created_at, id) where state = 'rejected'"),
    ("journal_by_time", "journal using brin (created_at) with (autosummarize = on)"),
)

GRANTS = """
grant select (locked, networks, rate_max) on provider to betcore_gateway;
grant insert (locked, networks, rate_max), update (locked, networks, rate_max) on provider
    to betcore_operator;
grant update (max_win, max_daily_win) on account to betcore_operator;
grant select, insert (account_id, day), update (total) on win_day to betcore_worker;
grant select on win_day to betcore_operator, betcore_reader
"""


def upgrade() -> None:
    """Add columns, a table, constraints and grants. Bets wait for a moment only."""
    for statement in COLUMNS.split(";\n"):
        op.execute(statement)
    for name, table, condition in CONSTRAINTS:
        op.execute(f"alter table {table} drop constraint if exists {name}")
        op.execute(f"alter table {table} add constraint {name} check ({condition}) not valid")
    for statement in GRANTS.split(";\n"):
        op.execute(statement)
    # This commits the statements above, and thereby releases the locks. Validation reads every row,
    # and bets can be written meanwhile.
    patience = op.get_bind().execute(text("show lock_timeout")).scalar_one()
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")  # nobody waits for what waits here
        for name, table, _ in CONSTRAINTS:
            op.execute(f"alter table {table} validate constraint {name}")
        for name, of in INDEXES:
            # A migration that was killed leaves an invalid index behind.
            op.execute(f"drop index concurrently if exists {name}")
            op.execute(f"create index concurrently {name} on {of}")
        op.execute(f"set lock_timeout = '{patience}'")


def downgrade() -> None:
    """Refuse: a migration takes no limit away. Raises RuntimeError."""
    raise RuntimeError("A migration does not take away what protects against a provider.")
