"""The facts of the audit log in SQL: what each table says now, and what its entries say.

An entry has the columns that its action set. So the first entry of a row has all its facts, and
later entries replace some of them. An end is final: of the times at which a session was closed, or
a secret or key revoked, the first counts.
"""

from typing import NamedTuple

from models.audit.log import Action


class Subject(NamedTuple):
    """A table whose rows operators make and change, as `t`. `source` may join what names a row."""

    table: str
    named: str
    plural: str
    adopted: Action
    key: str
    facts: str
    older: str  # whether it may be older than the audit log
    source: str = ""

    @property
    def actions(self) -> dict[str, object]:
        """The parameters of the statements below: the actions that set and change its facts."""
        of_table = [one for one in Action if one.table == self.table and not one.is_request]
        first = [str(one) for one in of_table if one.is_first]
        return {"first": first, "later": [str(one) for one in of_table if not one.is_first]}


#: The fact that stands for a revoked secret.
ERASED = "erased"
#: Facts that are set once.
_FINAL = "('closedAt', 'revokedAt')"
#: The value of a fact that an operator took away again. Its row then has no such fact.
UNSET = "none"
#: Facts that somebody turned into another type count as none: no entry may stop the verification.
_OBJECT = "case jsonb_typeof(facts) when 'object' then facts else '{}' end"


def _time(column: str) -> str:
    return f"""to_char({column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _start(kind: str) -> str:
    return f"(select until from audit_start where kind = '{kind}')"  # noqa: S608 - ours


def _by_id(table: str) -> str:
    return f"t.id <= {_start(table)}"


SUBJECTS = (
    Subject(
        table="currency",
        named="Currency",
        plural="currencies",
        adopted=Action.CURRENCY_ADOPTED,
        key="t.code",
        facts="'decimals', t.decimals::text",
        # Its cash account was made with it, and has an id.
        older=f"""exists (select from account cash where cash.kind = 'cash'
                  and cash.currency = t.code and cash.id <= {_start("account")})""",
    ),
    Subject(
        table="provider",
        named="Provider",
        plural="providers",
        adopted=Action.PROVIDER_ADOPTED,
        key="t.id::text",
        facts="""'counterpartyId', t.counterparty_id, 'name', t.name, 'status', t.status,
              'locked', case when t.locked then 'yes' end,
              'networks', array_to_string(t.networks, ' '), 'rateMax', t.rate_max::text""",
        older=_by_id("provider"),
    ),
    Subject(
        table="provider_secret",
        named="Secret",
        plural="secrets",
        adopted=Action.SECRET_ADOPTED,
        key="t.id::text",
        facts=f"""'provider', t.provider_id::text,
              'sha256', coalesce(encode(
                  sha256(convert_to(t.key || ':', 'UTF8') || t.ciphertext), 'hex'), '{ERASED}'),
              'revokedAt', {_time("t.revoked_at")}""",
        older=_by_id("provider_secret"),
    ),
    Subject(
        table="player",
        named="Player",
        plural="players",
        adopted=Action.PLAYER_ADOPTED,
        key="t.id::text",
        facts="'externalId', t.external_id, 'status', t.status",
        older=_by_id("player"),
    ),
    Subject(
        table="account",
        named="Account",
        plural="accounts",
        adopted=Action.ACCOUNT_ADOPTED,
        key="t.id::text",
        facts="""'kind', t.kind, 'player', t.player_id::text, 'externalId', owner.external_id,
              'provider', t.provider_id::text, 'currency', t.currency,
              'maxWin', trim_scale(t.max_win)::text,
              'maxDailyWin', trim_scale(t.max_daily_win)::text""",
        older=_by_id("account"),
        source="left join player owner on owner.id = t.player_id",
    ),
    Subject(
        table="session",
        named="Session",
        plural="sessions",
        adopted=Action.SESSION_ADOPTED,
        key="t.id",
        facts=f"""'provider', t.provider_id::text, 'account', t.account_id::text,
              'minBet', trim_scale(t.min_bet)::text, 'maxBet', trim_scale(t.max_bet)::text,
              'openedAt', {_time("t.opened_at")}, 'expiresAt', {_time("t.expires_at")},
              'closedAt', {_time("t.closed_at")}, 'game', t.game, 'language', t.language,
              'mode', nullif(t.mode, 'real')""",
        older=f"extract(epoch from t.opened_at) * 1000000 <= {_start('session')}",
    ),
    Subject(
        table="operator_key",
        named="Operator key",
        plural="operator keys",
        adopted=Action.OPERATOR_KEY_ADOPTED,
        key="t.id::text",
        facts=f"""'name', t.name, 'scopes', t.scopes, 'sha256', encode(t.hash, 'hex'),
              'expiresAt', {_time("t.expires_at")}, 'revokedAt', {_time("t.revoked_at")}""",
        older="false",
    ),
    Subject(
        table="console_user",
        named="Console user",
        plural="console users",
        adopted=Action.USER_ADOPTED,
        key="t.id::text",
        facts=f"""'name', t.name, 'role', t.role,
              'sha256', encode(sha256(convert_to(t.hash, 'UTF8')), 'hex'),
              'revokedAt', {_time("t.revoked_at")}""",
        older="false",
    ),
    Subject(
        table="sandbox_token",
        named="Sandbox token",
        plural="sandbox tokens",
        adopted=Action.SANDBOX_TOKEN_ADOPTED,
        key="t.provider_id::text",
        facts="'sha256', encode(t.hash, 'hex')",
        older="false",
    ),
)


def differing(subject: Subject) -> str:
    """The rows where the table and the audit log differ.

    The columns are: key, facts of the table, facts of the audit log, whether the row may be older.
    The facts of the side that does not know the row are null.
    """
    return f"""
        with first as (
            select distinct on (subject collate "C") subject, {_OBJECT} as facts from audit_log
            where subject_table = '{subject.table}' and action = any(:first)
            order by subject collate "C", id desc
        ), later as (
            select subject, jsonb_object_agg(
                fact.key, nullif(fact.value, '"{UNSET}"')
                order by case when fact.key in {_FINAL} then -id else id end
            ) as facts
            from audit_log, jsonb_each({_OBJECT}) fact
            where subject_table = '{subject.table}' and action = any(:later)
            group by subject
        ), said as (
            select subject,
                   jsonb_strip_nulls(first.facts || coalesce(later.facts, '{{}}')) as facts
            from first left join later using (subject)
        ), present as (
            select {subject.key} as subject, {_facts(subject)} as facts, {subject.older} as older
            from {subject.table} t {subject.source}
        )
        select subject, present.facts, said.facts, present.older
        from present full join said using (subject)
        where present.facts is distinct from said.facts
    """  # noqa: S608 - ours


def missing(subject: Subject) -> str:
    """Key and facts of every row that has no first entry, in the order of the keys."""
    return f"""
        select {subject.key}, {_facts(subject)} from {subject.table} t {subject.source}
        where {_unsaid(subject)} order by 1
    """  # noqa: S608 - ours


def older_count(subject: Subject) -> str:
    """How many rows may be older than the audit log and have no first entry."""
    return f"""
        select count(*) from {subject.table} t where {subject.older} and {_unsaid(subject)}
    """  # noqa: S608 - ours


def _facts(subject: Subject) -> str:
    return f"jsonb_strip_nulls(jsonb_build_object({subject.facts}))"


def _unsaid(subject: Subject) -> str:
    return f"""not exists (
        select from audit_log e where e.subject_table = '{subject.table}'
        and e.action = any(:first) and e.subject = {subject.key}
    )"""
