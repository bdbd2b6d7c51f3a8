"""The journal: what makes it visible that a transfer was edited, deleted or inserted behind us."""

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
    """One committed batch: an HMAC over its transfers and the row before it in its strand.

    Never changed, never deleted. No foreign key to transfers: a row must outlive what it names.
    """

    __table_args__ = (
        CheckConstraint("number > 0", "journal_number_from_one"),
        CheckConstraint("cardinality(transfers) > 0", "journal_names_transfers"),
        CheckConstraint("octet_length(hmac) = 32", "journal_hmac_length"),
    )

    #: The writer's: each worker process has one of its own, so that none waits for another.
    strand: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    #: Names the key of the HMAC, without telling it (models/keys.py).
    key: str = Field(sa_type=Text)
    transfers: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    #: Eight bytes of SHA-256 of each transfer, so that the one that was edited can be named.
    fingerprints: bytes = Field(sa_type=LargeBinary)
    hmac: bytes = Field(sa_type=LargeBinary)
    created_at: datetime | None = Field(default=None, sa_column=now_column())


class JournalStart(SQLModel, table=True):
    """Where the journal begins: every transfer with a greater id must be in it.

    One row, from the migration; `betcore ledger verify` says so if there are others.
    """

    __tablename__ = "journal_start"

    transfer_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    created_at: datetime | None = Field(default=None, sa_column=now_column())
