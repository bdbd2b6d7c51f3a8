"""What each role may do (docs/adr/0018). models/database/ownership.py makes the roles themselves.

From here on every migration grants what it makes. Without a grant only the owner can use it.
"""

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"

# Only for our own objects: the schema may hold an extension's views, or another owner's tables.
NOTHING_FOR_PUBLIC = """
do $$
declare ours text;
begin
    for ours in
        select case relkind when 'S' then 'sequence ' else 'table ' end || oid::regclass
        from pg_class
        where relnamespace = '{schema}'::regnamespace and relkind in ('r', 'p', 'S')
          and relowner = current_user::regrole
        union all
        select 'function ' || oid::regprocedure
        from pg_proc
        where pronamespace = '{schema}'::regnamespace and proowner = current_user::regrole
    loop
        execute 'revoke all on ' || ours || ' from public';
    end loop;
end $$
"""
# For objects of later migrations. Nobody has rights on tables and sequences from the start.
NOTHING_FOR_PUBLIC_LATER = "alter default privileges revoke all on functions from public"

# Whether nobody is within a transaction on these accounts. It returns when it could lock all of
# them, and keeps no lock. A subtransaction that is undone releases the locks at once.
ACCOUNTS_SETTLED = """
create function accounts_settled(ids bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform id from {schema}.account where id = any(ids) order by id for no key update;
    raise exception using errcode = 'BC001';
exception when sqlstate 'BC001' then null;
end $$
"""

# So a role that opens accounts needs no right to set a balance.
ACCOUNT_BEGINS_EMPTY = """
create function account_begins_empty() returns trigger language plpgsql as $$
begin
    if new.kind = 'player' then
        new.balance := coalesce(new.balance, 0);
    end if;
    return new;
end $$
"""

ACCOUNT_BEGINS_EMPTY_TRIGGER = """
create trigger account_begins_empty before insert on account
for each row execute function account_begins_empty()
"""

# Columns that an insert may not set have a default. So nobody backdates a row, or opens an account
# that already has money. Nobody may delete or truncate.
GRANTS = """
grant select on alembic_version
    to betcore_gateway, betcore_worker, betcore_operator, betcore_reader;

-- Gateways look up secrets, places, balances and bets, and judge by what is recorded (PROTOCOL.md,
-- rule 8); they write nothing.
grant select on currency, provider_secret, account, session, bet to betcore_gateway;
grant select (id, counterparty_id, status) on provider to betcore_gateway;
grant select (id, external_id, status) on player to betcore_gateway;
grant select (id, bet, kind) on transfer to betcore_gateway;
grant execute on function accounts_settled(bigint[]) to betcore_gateway;

-- Workers record bets and transfers, vouch for them, and advance balances.
grant select (id, status) on provider to betcore_worker;
grant select (id, status) on player to betcore_worker;
grant select, update (balance, last_seq) on account to betcore_worker;
grant select on session to betcore_worker;
grant select, update (state, win, odd, updated_at), insert (id, provider_id, bet_id, account_id,
    session_id, round_id, opened_by, state, stake, win, odd, refused_with, reason)
    on bet to betcore_worker;
grant select, insert (id, bet, kind, debit_account, credit_account, amount, account, account_seq,
    balance_after, reference, month) on transfer to betcore_worker;
grant insert (strand, number, key, transfers, fingerprints, hmac, bets) on journal
    to betcore_worker;
grant select, insert (id) on refused_order to betcore_worker;
grant usage on sequence ledger_ids to betcore_worker;
grant execute on function require_rows(bigint, bigint) to betcore_worker;

-- Operators read everything, and administer everything but money; they vouch for what they do.
grant select on currency, provider, provider_secret, player, account, session, bet, transfer,
    journal, journal_start, audit_log, audit_start, refused_order to betcore_operator;
grant insert (strand, number, key, transfers, fingerprints, hmac, bets, entries) on journal
    to betcore_operator;
grant insert (id, actor, action, subject_table, subject, facts, note) on audit_log
    to betcore_operator;
grant insert (code, decimals) on currency to betcore_operator;
grant insert (counterparty_id, name, status), update (status) on provider to betcore_operator;
grant insert (id, provider_id, key, ciphertext, revoked_at), update (key, ciphertext, revoked_at)
    on provider_secret to betcore_operator;
grant usage on sequence provider_secret_id_seq to betcore_operator;
grant insert (external_id, status), update (status) on player to betcore_operator;
grant insert (kind, player_id, provider_id, currency) on account to betcore_operator;
grant insert (id, provider_id, account_id, min_bet, max_bet, opened_at, expires_at),
    update (closed_at) on session to betcore_operator;

-- Readers report and verify; of a secret they see that there is one.
grant select on currency, provider, player, account, session, bet, transfer, journal,
    journal_start, audit_log, audit_start, refused_order to betcore_reader;
grant select (id, provider_id, created_at, revoked_at) on provider_secret to betcore_reader
"""


def upgrade() -> None:
    """Create two functions and a trigger, and grant. Bets wait for it only for a moment."""
    schema = op.get_bind().execute(text("select quote_ident(current_schema())")).scalar_one()
    functions = (ACCOUNTS_SETTLED, ACCOUNT_BEGINS_EMPTY, ACCOUNT_BEGINS_EMPTY_TRIGGER)
    nobodys = (NOTHING_FOR_PUBLIC, NOTHING_FOR_PUBLIC_LATER)
    for statement in (*functions, *nobodys, *GRANTS.split(";\n")):
        op.execute(statement.format(schema=schema))


def downgrade() -> None:
    """Refuse: older versions run with these roles as well. Raises RuntimeError."""
    raise RuntimeError("A migration does not open the tables again.")
