"""The audit log: an administrative change and its signed entry are one transaction.

Code that changes a provider, secret, player, account, session, currency, key or user does it within
`operation`, and reports it by `record`. The entries of all operators are one list. The rows of the
journal that vouch for them are one strand. So a gap in the middle of either is detected.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, text
from sqlalchemy.dialects.postgresql import JSONB, TEXT
from sqlmodel import Session as DbSession

from models.audit.journal import BEGINNING, Head, Strand
from models.audit.records import Entry, Records, entry_line
from models.database.transactions import transaction
from models.errors import InvalidRequest
from models.keys import Key
from models.money import plain
from models.tables import Journal
from models.times import utc

#: The strand of all rows that vouch for entries.
STRAND = UUID(int=0)
#: Per row of the journal.
ENTRIES_MAX = 500
TEXT_MAX = 500  # characters of a note, or of the name of an actor
_PENDING = "betcore.audit"  # in `Session.info`
# Any number that differs from our other ones. Writers of entries wait for each other.
_LOCK = 5_318_010

_PLACE = text("""
    select (select ((extract(epoch from now()) * 1000000)::bigint)::text),
           (select coalesce(max(id), 0) from audit_log), head.number, head.hmac
    from (select) one
    left join lateral (
        select number, hmac from journal where strand = :strand order by number desc limit 1
    ) head on true
""")
_INSERT = text("""
    insert into audit_log (id, actor, action, subject_table, subject, facts, note)
    select new.id, :actor, new.action, new.subject_table, new.subject, new.facts, :note
    from jsonb_to_recordset(:entries)
         new(id bigint, action text, subject_table text, subject text, facts jsonb)
""").bindparams(
    bindparam("actor", type_=TEXT),
    bindparam("note", type_=TEXT),
    bindparam("entries", type_=JSONB),
)

#: A value of a column, or None where there is none.
Value = str | int | Decimal | datetime | None


class Action(StrEnum):
    """What was done. The part before the dot names the subject."""

    CURRENCY_ADDED = "currency.added"
    CURRENCY_ADOPTED = "currency.adopted"
    PROVIDER_ADDED = "provider.added"
    PROVIDER_ADOPTED = "provider.adopted"
    PROVIDER_SUSPENDED = "provider.suspended"
    PROVIDER_RESUMED = "provider.resumed"
    PROVIDER_LOCKED = "provider.locked"
    PROVIDER_UNLOCKED = "provider.unlocked"
    PROVIDER_ALLOW_LIST = "provider.allow_list"
    PROVIDER_LIMITS = "provider.limits"
    SECRET_ADDED = "secret.added"  # noqa: S105 - the name of an action
    SECRET_ADOPTED = "secret.adopted"  # noqa: S105
    SECRET_REVOKED = "secret.revoked"  # noqa: S105
    SECRET_REENCRYPTED = "secret.reencrypted"  # noqa: S105
    PLAYER_ADDED = "player.added"
    PLAYER_ADOPTED = "player.adopted"
    PLAYER_BLOCKED = "player.blocked"
    PLAYER_UNBLOCKED = "player.unblocked"
    ACCOUNT_OPENED = "account.opened"
    ACCOUNT_ADOPTED = "account.adopted"
    ACCOUNT_LIMITS = "account.limits"
    SESSION_OPENED = "session.opened"
    SESSION_ADOPTED = "session.adopted"
    SESSION_EXTENDED = "session.extended"
    SESSION_EXPIRED = "session.expired"
    SESSION_CLOSED = "session.closed"
    OPERATOR_KEY_ADDED = "operator_key.added"
    OPERATOR_KEY_ADOPTED = "operator_key.adopted"
    OPERATOR_KEY_REVOKED = "operator_key.revoked"
    USER_ADDED = "console_user.added"
    USER_ADOPTED = "console_user.adopted"
    USER_PASSWORD = "console_user.password"  # noqa: S105
    USER_ROLE = "console_user.role"
    USER_REVOKED = "console_user.revoked"
    SANDBOX_MARKED = "sandbox.marked"
    SANDBOX_TOKEN_ADDED = "sandbox_token.added"  # noqa: S105
    SANDBOX_TOKEN_ADOPTED = "sandbox_token.adopted"  # noqa: S105
    LOGIN_ACCEPTED = "login.accepted"
    LOGIN_REFUSED = "login.refused"
    LOGIN_ENDED = "login.ended"
    QUEUE_SUSPENDED = "queue.suspended"
    QUEUE_RESUMED = "queue.resumed"
    QUEUE_REQUEUED = "queue.requeued"
    DEPOSIT_REQUESTED = "deposit.requested"
    WITHDRAWAL_REQUESTED = "withdrawal.requested"

    @property
    def table(self) -> str:
        """The table of its subject."""
        return _TABLES[self.partition(".")[0]]

    @property
    def is_first(self) -> bool:
        """Whether it is the first entry of its subject, with all its facts."""
        return self.partition(".")[2] in ("added", "opened", "adopted")

    @property
    def is_request(self) -> bool:
        """Whether it changes nothing by itself, because a worker makes the change later."""
        return self.partition(".")[2] == "requested"


_TABLES = {
    "currency": "currency",
    "provider": "provider",
    "secret": "provider_secret",
    "player": "player",
    "account": "account",
    "session": "session",
    "operator_key": "operator_key",
    "console_user": "console_user",
    "sandbox": "sandbox_mark",
    "sandbox_token": "sandbox_token",
    "login": "login",  # of a name, which may be no user's
    "queue": "queue",  # RQ's, in Redis: no table of ours
    "deposit": "account",
    "withdrawal": "account",
}


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, why, and the key that vouches for it."""

    actor: str
    key: Key = field(repr=False)
    note: str | None = None

    def __post_init__(self) -> None:
        """Raises InvalidRequest when a text cannot be recorded."""
        for what, value in (("An actor", self.actor), ("A note", self.note)):
            if value is not None and not (0 < len(value) <= TEXT_MAX and value.isprintable()):
                raise InvalidRequest(f"{what} has 1 to {TEXT_MAX} printable characters.")


@dataclass(frozen=True, slots=True)
class Fact:
    """What was done to which row. `facts` are the columns that it set."""

    action: Action
    subject: str
    facts: Mapping[str, str]


@contextmanager
def operation(database_url: str, author: Author) -> Iterator[DbSession]:
    """One transaction of an operator. What the body records is signed before the commit.

    Other operators who record something wait from the signing until this commit.
    """
    with transaction(database_url) as session:
        pending: list[Fact] = session.info.setdefault(_PENDING, [])
        yield session
        if pending:
            session.flush()
            AuditWriter(session.connection(), author).write(pending)


def record(session: DbSession, action: Action, subject: object, **facts: Value) -> None:
    """Note what was done to a row, by its key. It is recorded with the change, or not at all.

    If the change depends on nothing else, lock the row first, so that entries are in the order of
    their commits. Raises ValueError outside an `operation`.
    """
    pending: list[Fact] | None = session.info.get(_PENDING)
    if pending is None:
        raise ValueError(f"{action} needs an operation, so that somebody answers for it")
    known = {name: _text(value) for name, value in facts.items() if value is not None}
    pending.append(Fact(action, str(subject), known))


class AuditWriter:
    """Appends entries, and the rows of the journal that vouch for them.

    It holds a lock until its transaction ends, so that ids and rows count without a gap.
    """

    def __init__(self, connection: Connection, author: Author) -> None:
        self._connection = connection
        self._author = author
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        # A separate statement: it must see what was committed until the lock was granted.
        place = connection.execute(_PLACE, {"strand": STRAND}).one()
        self._micros, self._last, number, mac = place
        head = Head(STRAND, number or 0, BEGINNING if mac is None else bytes(mac))
        self._strand = Strand(author.key, head)

    def write(self, facts: Sequence[Fact]) -> None:
        """Append these facts, in order. The caller commits."""
        for start in range(0, len(facts), ENTRIES_MAX):
            entries = [
                Entry(
                    id=self._last + number,
                    actor=self._author.actor,
                    action=fact.action,
                    table=fact.action.table,
                    subject=fact.subject,
                    facts=fact.facts,
                    note=self._author.note,
                )
                for number, fact in enumerate(facts[start : start + ENTRIES_MAX], start=1)
            ]
            self._last = entries[-1].id
            self._insert(entries)

    def _insert(self, entries: Sequence[Entry]) -> None:
        ids = [entry.id for entry in entries]
        rows = [
            {"id": one.id, "action": one.action, "subject_table": one.table}
            | {"subject": one.subject, "facts": one.facts}
            for one in entries
        ]
        values = {"actor": self._author.actor, "note": self._author.note, "entries": rows}
        self._connection.execute(_INSERT, values)
        lines = [entry_line(entry, self._micros) for entry in entries]
        row = self._strand.append(Records(entries=ids), lines, self._micros)
        self._connection.execute(insert(Journal), row.columns())
        self._strand.committed()  # all rows commit together or not at all


def _text(value: str | int | Decimal | datetime) -> str:
    """A value in the form that models/audit/facts.py reads from a row."""
    if isinstance(value, Decimal):
        return plain(value)
    return utc(value) if isinstance(value, datetime) else str(value)
