"""Who may use the console: named users, and the sessions in which they are logged in."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from models.tables.columns import identity_column, now_column, reference_column


class ConsoleUser(SQLModel, table=True):
    """A person who uses the console. A name is used only once, because the audit log names it."""

    __tablename__ = "console_user"
    __table_args__ = (
        UniqueConstraint("name", name="console_user_name_once"),
        CheckConstraint("role in ('support', 'operator', 'admin')", "console_user_role"),
    )

    id: int | None = Field(default=None, sa_column=identity_column(Integer))
    name: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    #: An argon2 hash of the password, with its parameters.
    hash: str = Field(sa_type=Text)
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class ConsoleSession(SQLModel, table=True):
    """A login of a user. The token is in the user's cookie; the table has an HMAC of it."""

    __tablename__ = "console_session"
    __table_args__ = (CheckConstraint("octet_length(hash) = 32", "console_session_hash_is_sha256"),)

    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    user_id: int = Field(sa_column=reference_column("console_user.id"))
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    #: Written at most once per minute.
    seen_at: datetime | None = Field(default=None, sa_column=now_column())
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    ended_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
