"""Who may do what in the database: the roles, and every privilege that a migration gives them.

Roles belong to the whole cluster: `models/database/ownership.py` makes them. Privileges belong to
one database: migrations grant them. A test compares this module with the catalog, table by table.
With a new table or column, decide here who needs it, and grant it in the same migration. Nobody may
delete or truncate anything (docs/adr/0018).
"""

from collections.abc import Mapping
from typing import NamedTuple

OWNER = "betcore_owner"  # owns everything; only migrations act as it
GATEWAY = "betcore_gateway"
WORKER = "betcore_worker"
OPERATOR = "betcore_operator"
READER = "betcore_reader"
ROLES = (OWNER, GATEWAY, WORKER, OPERATOR, READER)
USERS = ROLES[1:]  # the logins of processes and people; none of them owns anything


class Rights(NamedTuple):
    """The columns of one table that a role may read, set on insert, and change.

    Spaces separate the names. `ALL` is the whole table, with every later column.
    """

    select: str = ""
    insert: str = ""
    update: str = ""


ALL = "*"

_READS = Rights(select=ALL)

#: For each table, what each role may do there. A role that is not named may do nothing. Columns
#: that an insert may not set have a default. So nobody backdates a row, or opens an account that
#: already has money.
RIGHTS: Mapping[str, Mapping[str, Rights]] = {
    "alembic_version": dict.fromkeys(USERS, _READS),
    "currency": {
        GATEWAY: _READS,
        OPERATOR: Rights(select=ALL, insert="code decimals"),
        READER: _READS,
    },
    "provider": {
        GATEWAY: Rights(select="id counterparty_id status locked networks rate_max"),
        WORKER: Rights(select="id status"),
        OPERATOR: Rights(
            select=ALL,
            insert="counterparty_id name status locked networks rate_max url",
            update="status locked networks rate_max url",
        ),
        READER: _READS,
    },
    "provider_secret": {
        GATEWAY: _READS,
        OPERATOR: Rights(
            select=ALL,
            insert="id provider_id key ciphertext revoked_at",
            update="key ciphertext revoked_at",
        ),
        READER: Rights(select="id provider_id created_at revoked_at"),
    },
    "player": {
        GATEWAY: Rights(select="id external_id status"),
        WORKER: Rights(select="id status"),
        OPERATOR: Rights(select=ALL, insert="external_id status", update="status"),
        READER: _READS,
    },
    "account": {
        GATEWAY: _READS,
        WORKER: Rights(select=ALL, update="balance last_seq"),
        OPERATOR: Rights(
            select=ALL,
            insert="kind player_id provider_id currency",
            update="max_win max_daily_win",
        ),
        READER: _READS,
    },
    "win_day": {
        WORKER: Rights(select=ALL, insert="account_id day", update="total"),
        OPERATOR: _READS,
        READER: _READS,
    },
    "session": {
        GATEWAY: _READS,
        WORKER: _READS,
        OPERATOR: Rights(
            select=ALL,
            insert="id provider_id account_id min_bet max_bet opened_at expires_at game language"
            " mode",
            update="expires_at closed_at",
        ),
        READER: _READS,
    },
    "bet": {
        GATEWAY: _READS,  # it judges recorded bets as a worker would (rule 8)
        WORKER: Rights(
            select=ALL,
            insert="id provider_id bet_id account_id session_id round_id opened_by state stake win"
            " odd refused_with reason game",
            update="state win odd updated_at",
        ),
        OPERATOR: _READS,
        READER: _READS,
    },
    "finished_round": {
        GATEWAY: _READS,
        WORKER: Rights(select=ALL, insert="account_id provider_id round_id id account_seq"),
        OPERATOR: Rights(select=ALL, update="id"),  # of rounds that have none, to adopt them
        READER: _READS,
    },
    "transfer": {
        GATEWAY: Rights(select="id bet kind"),
        WORKER: Rights(
            select=ALL,
            insert="id bet kind debit_account credit_account amount account account_seq"
            " balance_after reference month",
        ),
        OPERATOR: _READS,
        READER: _READS,
    },
    "journal": {
        WORKER: Rights(insert="strand number key transfers fingerprints hmac bets rounds"),
        OPERATOR: Rights(
            select=ALL, insert="strand number key transfers fingerprints hmac bets entries rounds"
        ),
        READER: _READS,
    },
    "refused_order": {
        WORKER: Rights(select=ALL, insert="id"),
        OPERATOR: _READS,
        READER: _READS,
    },
    "journal_start": {OPERATOR: _READS, READER: _READS},
    "audit_log": {
        OPERATOR: Rights(select=ALL, insert="id actor action subject_table subject facts note"),
        READER: _READS,
    },
    "operator_key": {
        OPERATOR: Rights(
            select=ALL, insert="name scopes hash expires_at", update="revoked_at last_used_at"
        ),
        READER: _READS,
    },
    "idempotent_request": {
        OPERATOR: Rights(
            select=ALL,
            insert="key_id name fingerprint status answer",
            update="status answer created_at",
        ),
    },
    "catalogue": {
        OPERATOR: Rights(
            select=ALL,
            insert="provider_id",
            update="asked_at answer_asked_at synced_at trouble",
        ),
        READER: _READS,
    },
    "game": {
        OPERATOR: Rights(
            select=ALL,
            insert="provider_id game_id name category max_odd lobby_image_url",
            update="name category max_odd lobby_image_url last_seen_at gone_at",
        ),
        READER: _READS,
    },
    "game_change": {
        OPERATOR: Rights(
            select=ALL,
            insert="provider_id game_id change name category max_odd lobby_image_url",
        ),
        READER: _READS,
    },
    "last_done": dict.fromkeys(
        (OPERATOR, READER), Rights(select=ALL, insert="chore", update="done_at")
    ),
    "gateway_minute": {
        OPERATOR: Rights(select=ALL, insert="minute answers figures", update="answers figures"),
        READER: _READS,
    },
    "console_user": {
        OPERATOR: Rights(select=ALL, insert="name role hash", update="role hash revoked_at"),
        READER: Rights(select="id name role created_at revoked_at"),
    },
    "console_session": {
        OPERATOR: Rights(select=ALL, insert="hash user_id expires_at", update="seen_at ended_at"),
    },
    "sandbox_mark": {
        GATEWAY: _READS,
        OPERATOR: Rights(select=ALL, insert="id"),
        READER: _READS,
    },
    "sandbox_token": {
        OPERATOR: Rights(select=ALL, insert="provider_id hash", update="players sessions"),
        READER: Rights(select="provider_id players sessions created_at"),
    },
    "audit_start": {OPERATOR: _READS, READER: _READS},
}

#: Who may draw ids of bets and transfers, and ids of secrets, which are encrypted for their id.
#: Keys that PostgreSQL counts by itself need no privilege.
SEQUENCES: Mapping[str, frozenset[str]] = {
    "ledger_ids": frozenset({WORKER}),
    "provider_secret_id_seq": frozenset({OPERATOR}),
}

#: Who may call each of our functions. A trigger runs its function for whoever fires it.
FUNCTIONS: Mapping[str, frozenset[str]] = {
    "require_rows(bigint, bigint)": frozenset({WORKER}),
    "accounts_settled(bigint[])": frozenset({GATEWAY}),
    "refuse_change()": frozenset(),
    "account_begins_empty()": frozenset(),
}

#: Who may make temporary tables: `betcore reconcile` copies a provider's list into one.
TEMPORARY = frozenset({OPERATOR, READER})

_MAKE_ROLE = """
do $$ begin
    create role {role} nologin;
exception when duplicate_object or unique_violation then null;
end $$
"""


def make_role(role: str) -> str:
    """The statement that makes a role which cannot log in. It accepts a role that exists.

    It also accepts a role that a migration of another database of the same cluster is just making.
    """
    return _MAKE_ROLE.format(role=role)
