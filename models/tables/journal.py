"""The journal: it reveals that a record was edited, deleted or inserted without us."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from models.tables.columns import NEVER_CHANGED, now_column


class Journal(SQLModel, table=True):
    """One transaction: an HMAC over its records and over the previous row in its strand.

    A worker's row names transfers, rejected bets and finished rounds. An operator's row names
    entries of the audit log. A row is never changed and never deleted. It has no foreign keys,
    because it must outlive what it names.
    """

    __table_args__ = (
        CheckConstraint("number > 0", "journal_number_from_one"),
        CheckConstraint(
            "cardinality(transfers) + coalesce(cardinality(bets), 0)"
            " + coalesce(cardinality(entries), 0) + coalesce(cardinality(rounds), 0) > 0",
            "journal_names_records",
        ),
        CheckConstraint(
            "entries is null or cardinality(transfers) = 0 and bets is null and rounds is null",
            "journal_of_one_side",
        ),
        CheckConstraint("octet_length(hmac) = 32", "journal_hmac_length"),
        Index(
            "journal_by_time",
            "created_at",
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on"},
        ),
        NEVER_CHANGED,
    )

    #: The strand of the writer. Each worker process has its own, so that none waits for another.
    #: Operators' commands share one (models/audit/log.py).
    strand: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    #: Names the key of the HMAC, without revealing it (models/keys.py).
    key: str = Field(sa_type=Text)
    transfers: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    #: Eight bytes of SHA-256 per record, which identify a record that was edited.
    fingerprints: bytes = Field(sa_type=LargeBinary)
    hmac: bytes = Field(sa_type=LargeBinary)
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    #: The rejected bets of the batch, if it has any.
    bets: list[int] | None = Field(default=None, sa_column=Column(ARRAY(BigInteger)))
    entries: list[int] | None = Field(default=None, sa_column=Column(ARRAY(BigInteger)))
    #: The rounds that the batch finished, if it finished any.
    rounds: list[int] | None = Field(default=None, sa_column=Column(ARRAY(BigInteger)))


class JournalStart(SQLModel, table=True):
    """Where the journal begins: every transfer with a greater id must be in it.

    It has one row, from the migration. `betcore ledger verify` reports any other number.
    """

    __tablename__ = "journal_start"

    transfer_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    created_at: datetime | None = Field(default=None, sa_column=now_column())
