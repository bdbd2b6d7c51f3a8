"""The entries of the audit log, for operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from models.errors import InvalidRequest
from models.reports.paging import Listing
from models.reports.statement import ALWAYS, Period

_PAGE = text("""
    select e.id, e.created_at, e.actor, e.action, e.subject_table, e.subject,
           coalesce(player.external_id, provider.counterparty_id, e.subject), e.facts, e.note
    from audit_log e
    left join player on e.subject_table = 'player' and player.id::text = e.subject
    left join provider on e.subject_table = 'provider' and provider.id::text = e.subject
    where (cast(:before as bigint) is null or e.id < :before)
      and (cast(:since as timestamptz) is null or e.created_at >= :since)
      and (cast(:until as timestamptz) is null or e.created_at < :until)
      and (cast(:action as text) is null or e.action = :action)
      and (cast(:kind as text) is null or e.subject_table = :kind)
      and (cast(:name as text) is null
           or :name = coalesce(player.external_id, provider.counterparty_id, e.subject))
    order by e.id desc
    limit :rows
""")

#: The subjects that can be asked for, each with its table.
SUBJECTS = {
    "currency": "currency",
    "provider": "provider",
    "secret": "provider_secret",
    "player": "player",
    "account": "account",
    "session": "session",
    "operator_key": "operator_key",
    "console_user": "console_user",
    "login": "login",
    "queue": "queue",
}
_KINDS = {table: kind for kind, table in SUBJECTS.items()}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The entries that are wanted. None means any kind."""

    period: Period = ALWAYS
    action: str | None = None
    subject: str | None = None  # such as `player` or `player:ann`


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An entry. `name` is the public name of its subject, `key` is the key of the subject's row."""

    id: int
    created_at: datetime
    actor: str
    action: str
    kind: str
    key: str
    name: str
    facts: Mapping[str, object]
    note: str | None


def list_entries(database_url: str, wanted: Wanted) -> Listing[AuditLine]:
    """The entries, the newest first, read as the caller takes them.

    Raises InvalidRequest for a subject that is not valid, and what the database raises.
    """
    kind, name = _subject(wanted.subject)
    values = {
        "before": None,
        "since": wanted.period.since,
        "until": wanted.period.until,
        "action": wanted.action,
        "kind": kind and SUBJECTS[kind],
        "name": name,
    }
    return Listing(database_url, _PAGE, values, lambda row: {"before": row[0]}, _line)


def _line(row: Row[Any]) -> AuditLine:
    id_, at, actor, action, table, key, called, facts, note = tuple(row)
    return AuditLine(id_, at, actor, action, _KINDS.get(table, table), key, called, facts, note)


def _subject(subject: str | None) -> tuple[str | None, str | None]:
    if subject is None:
        return None, None
    kind, _, name = subject.partition(":")
    if kind not in SUBJECTS:
        raise InvalidRequest(f"A subject is one of {', '.join(SUBJECTS)}, and may have :NAME.")
    return kind, name or None
