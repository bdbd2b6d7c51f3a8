"""The games of providers: what each offers now, and how that has changed. The provider says it."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Text,
)
from sqlmodel import Field, SQLModel

from models.tables import parties  # noqa: F401 - these tables refer to it by name
from models.tables.columns import amount_column, identity_column, now_column, reference_column


class Catalogue(SQLModel, table=True):
    """When a provider was asked for its games, and what came of it."""

    provider_id: int = Field(sa_column=reference_column("provider.id", primary_key=True))
    #: When somebody last began to ask. It keeps several portals from asking at the same time.
    asked_at: datetime | None = Field(default=None, sa_column=now_column())
    #: When the list was asked for that is recorded, and when it was recorded.
    answer_asked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    synced_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    #: Why the last attempt failed. None: it succeeded.
    trouble: str | None = Field(default=None, sa_type=Text)


class Game(SQLModel, table=True):
    """A game that a provider has offered. `gone_at`: its list does not have it any more."""

    __table_args__ = (
        CheckConstraint("max_odd >= 0 and max_odd <> 'NaN'", "game_max_odd_not_negative"),
    )

    provider_id: int = Field(sa_column=reference_column("provider.id", primary_key=True))
    #: As text, although a provider may send a number.
    game_id: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = Field(sa_type=Text)
    category: str | None = Field(default=None, sa_type=Text)
    max_odd: Decimal | None = Field(default=None, sa_column=amount_column(nullable=True))
    lobby_image_url: str | None = Field(default=None, sa_type=Text)
    first_seen_at: datetime | None = Field(default=None, sa_column=now_column())
    last_seen_at: datetime | None = Field(default=None, sa_column=now_column())
    gone_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class GameChange(SQLModel, table=True):
    """What happened to a game, and what the list said of it from then on."""

    __tablename__ = "game_change"
    __table_args__ = (
        CheckConstraint("change in ('added', 'changed', 'gone', 'returned')", "game_change_kind"),
        Index("game_change_of_game", "provider_id", "game_id", "id"),
    )

    id: int | None = Field(default=None, sa_column=identity_column(BigInteger))
    provider_id: int = Field(sa_column=reference_column("provider.id"))
    game_id: str = Field(sa_type=Text)
    change: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    category: str | None = Field(default=None, sa_type=Text)
    max_odd: Decimal | None = Field(default=None, sa_column=amount_column(nullable=True))
    lobby_image_url: str | None = Field(default=None, sa_type=Text)
    created_at: datetime | None = Field(default=None, sa_column=now_column())
