"""Who may call the operator API, and what was answered there once."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from models.tables.columns import identity_column, now_column


class OperatorKey(SQLModel, table=True):
    """A key of the operator API, as its hash. The key itself was shown once (docs/adr/0023)."""

    __tablename__ = "operator_key"
    __table_args__ = (
        UniqueConstraint("name", name="operator_key_name_once"),
        CheckConstraint("octet_length(hash) = 32", "operator_key_hash_is_sha256"),
    )

    id: int | None = Field(default=None, sa_column=identity_column(Integer))
    name: str = Field(sa_type=Text)
    #: Names of scopes, separated by spaces.
    scopes: str = Field(sa_type=Text)
    hash: bytes = Field(sa_type=LargeBinary)
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    #: Written at most once per minute. It is no fact of the audit log.
    last_used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class IdempotentRequest(SQLModel, table=True):
    """A request with an `Idempotency-Key`. It is recorded in the transaction of what it made.

    `status` is null if the request itself may be repeated, as one with a reference. It is null also
    while a launch has no result yet; `answer` is then the session.
    """

    __tablename__ = "idempotent_request"

    key_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    name: str = Field(sa_column=Column(Text, primary_key=True))
    #: SHA-256 of method, path and body.
    fingerprint: bytes = Field(sa_type=LargeBinary)
    status: int | None = Field(default=None, sa_type=SmallInteger)
    answer: str | None = Field(default=None, sa_type=Text)
    created_at: datetime | None = Field(default=None, sa_column=now_column())
