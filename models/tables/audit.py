"""The audit log: what operators have done, and who they were."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.columns import now_column


class AuditLog(SQLModel, table=True):
    """One administrative fact: who made or changed what, and its values since then.

    An entry is never changed and never deleted. The ids count from 1 without a gap. The journal
    vouches for every entry by the operator key (docs/adr/0016).
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        CheckConstraint("id > 0", "audit_log_id_from_one"),
        CheckConstraint("jsonb_typeof(facts) = 'object'", "audit_log_facts_named"),
        # Finds the request of a deposit or withdrawal by its reference.
        Index(
            "audit_log_reference",
            text("(facts ->> 'reference')"),
            postgresql_where="subject_table = 'account'",
        ),
    )

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    #: The user and the host of the command, or BETCORE_ACTOR.
    actor: str = Field(sa_type=Text)
    #: One of `models.audit.log.Action`.
    action: str = Field(sa_type=Text)
    subject_table: str = Field(sa_type=Text)
    #: The key of the subject's row, as text.
    subject: str = Field(sa_type=Text)
    #: The columns that the action has set, by name. Every value is text (models/audit/facts.py).
    facts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    note: str | None = Field(default=None, sa_type=Text)


class AuditStart(SQLModel, table=True):
    """The limit up to which rows of a kind may be older than the audit log: an id, or microseconds.

    There is one row per kind, from the migration.
    """

    __tablename__ = "audit_start"

    kind: str = Field(sa_column=Column(Text, primary_key=True))
    until: int = Field(sa_column=Column(BigInteger, nullable=False))
