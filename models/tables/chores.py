"""When something was last done. It is for metrics, and is no evidence (docs/adr/0029)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from models.tables.columns import now_column


class LastDone(SQLModel, table=True):
    """The last success of a chore: `verify`, `seal` or `backup`."""

    __tablename__ = "last_done"
    __table_args__ = (CheckConstraint("chore in ('verify', 'seal', 'backup')", "last_done_chore"),)

    chore: str = Field(sa_column=Column(Text, primary_key=True))
    done_at: datetime | None = Field(default=None, sa_column=now_column())
