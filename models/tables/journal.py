"""The journal: what makes it visible that a record was edited, deleted or inserted behind us."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    LargeBinary,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from models.tables.columns import now_column


class Journal(SQLModel, table=True):
    """One transaction: an HMAC over what it recorded and over the row before it in its strand.

    A worker's row names transfers and rejected bets, an operator's row names entries of the audit
    log. Never changed, never deleted. No foreign keys: a row must outlive what it names.
    """

    __table_args__ = (
        CheckConstraint("number > 0", "journal_number_from_one"),
        CheckConstraint(
            "cardinality(transfers) + coalesce(cardinality(bets), 0)"
            " + coalesce(cardinality(entries), 0) > 0",
            "journal_names_records",
        ),
        CheckConstraint(
            "entries is null or cardinality(transfers) = 0 and bets is null", "journal_of_one_side"
        ),
        CheckConstraint("octet_length(hmac) = 32", "journal_hmac_length"),
    )

    #: The writer's: each worker process has one of its own, so that none waits for another.
    #: Operators' commands share one (models/audit/log.py).
    strand: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    #: Names the key of the HMAC, without telling it (models/keys.py).
    key: str = Field(sa_type=Text)
    transfers: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    #: Eight bytes of SHA-256 of each record, so that the one that was edited can be named.
    fingerprints: bytes = Field(sa_type=LargeBinary)
    hmac: bytes = Field(sa_type=LargeBinary)
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    #: The rejected bets of the batch, if it has any.
    bets: list[int] | None = Field(default=None, sa_column=Column(ARRAY(BigInteger)))
    entries: list[int] | None = Field(default=None, sa_column=Column(ARRAY(BigInteger)))


class JournalStart(SQLModel, table=True):
    """Where the journal begins: every transfer with a greater id must be in it.

    One row, from the migration; `betcore ledger verify` says so if there are others.
    """

    __tablename__ = "journal_start"

    transfer_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    created_at: datetime | None = Field(default=None, sa_column=now_column())
