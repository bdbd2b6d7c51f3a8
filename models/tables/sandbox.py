"""What only a sandbox has: its mark, and the tokens of providers that it made (docs/adr/0033)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, Integer, LargeBinary, SmallInteger, text
from sqlmodel import Field, SQLModel

from models.tables.columns import now_column, reference_column


class SandboxMark(SQLModel, table=True):
    """The one row that makes a database a sandbox. It cannot be taken away."""

    __tablename__ = "sandbox_mark"
    __table_args__ = (CheckConstraint("id = 1", "sandbox_mark_once"),)

    id: int = Field(
        default=1, sa_column=Column(SmallInteger, primary_key=True, autoincrement=False)
    )
    created_at: datetime | None = Field(default=None, sa_column=now_column())


class SandboxToken(SQLModel, table=True):
    """The token of a provider that the sandbox made, as its hash, and how much it made so far."""

    __tablename__ = "sandbox_token"
    __table_args__ = (CheckConstraint("octet_length(hash) = 32", "sandbox_token_hash_is_sha256"),)

    provider_id: int = Field(sa_column=reference_column("provider.id", primary_key=True))
    hash: bytes = Field(sa_type=LargeBinary)
    players: int = Field(
        default=0, sa_column=Column(Integer, server_default=text("0"), nullable=False)
    )
    sessions: int = Field(
        default=0, sa_column=Column(Integer, server_default=text("0"), nullable=False)
    )
    created_at: datetime | None = Field(default=None, sa_column=now_column())
