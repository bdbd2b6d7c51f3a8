"""Who plays and with what: currencies, providers and their secrets, players, accounts."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from models.tables.columns import BALANCE, identity_column, now_column, reference_column


class Currency(SQLModel, table=True):
    """A currency and its number of decimals: ISO 4217, and what operators add."""

    __table_args__ = (CheckConstraint("decimals between 0 and 18", "currency_decimals"),)

    code: str = Field(sa_column=Column(Text, primary_key=True))
    decimals: int = Field(sa_column=Column(SmallInteger, nullable=False))


class Provider(SQLModel, table=True):
    """A company whose games run. Its name on the wire is the counterparty."""

    __table_args__ = (
        UniqueConstraint("counterparty_id", name="provider_once"),
        UniqueConstraint("name", name="provider_name_once"),
        CheckConstraint("status in ('active', 'suspended')", "provider_status"),
    )

    id: int | None = Field(default=None, sa_column=identity_column(Integer))
    counterparty_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    status: str = Field(default="active", sa_type=Text)
    created_at: datetime | None = Field(default=None, sa_column=now_column())


class ProviderSecret(SQLModel, table=True):
    """A provider's encrypted secret. Several are valid at once, so that one can be replaced.

    A revoked secret is erased, so that no update of `revoked_at` can restore it.
    """

    __tablename__ = "provider_secret"
    __table_args__ = (
        CheckConstraint(
            "revoked_at is not null or (key is not null and ciphertext is not null)",
            "provider_secret_is_there_unless_revoked",
        ),
    )

    id: int | None = Field(default=None, sa_column=identity_column(Integer))
    provider_id: int = Field(sa_column=reference_column("provider.id"))
    #: Names the key that encrypted it, without revealing the key (models/keys.py).
    key: str | None = Field(default=None, sa_type=Text)
    ciphertext: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Player(SQLModel, table=True):
    """A person, the same across providers. Its name on the wire is the user."""

    __table_args__ = (
        UniqueConstraint("external_id", name="player_once"),
        CheckConstraint("status in ('active', 'blocked')", "player_status"),
    )

    id: int | None = Field(default=None, sa_column=identity_column(BigInteger))
    external_id: str = Field(sa_type=Text)
    status: str = Field(default="active", sa_type=Text)
    created_at: datetime | None = Field(default=None, sa_column=now_column())


class Account(SQLModel, table=True):
    """Money of one owner in one currency.

    Only a player's account holds a balance. A house account (of a provider) and the cash account
    (of the world outside) are sums of transfers. Otherwise every bet would have to lock such a row.
    """

    __table_args__ = (
        UniqueConstraint("player_id", "currency", name="account_of_player_once"),
        UniqueConstraint("provider_id", "currency", name="account_of_house_once"),
        Index("account_of_cash_once", "currency", unique=True, postgresql_where="kind = 'cash'"),
        CheckConstraint("balance >= 0 and balance <> 'NaN'", "account_balance_not_negative"),
        CheckConstraint("last_seq >= 0", "account_last_seq_not_negative"),
        CheckConstraint(
            "case kind when 'player' then player_id is not null and provider_id is null"
            " and balance is not null"
            " when 'house' then provider_id is not null and player_id is null and balance is null"
            " when 'cash' then player_id is null and provider_id is null and balance is null"
            " else false end",
            "account_kind",
        ),
        # Half-filled pages: a new balance finds room beside the old one, and no index changes.
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: int | None = Field(default=None, sa_column=identity_column(BigInteger))
    kind: str = Field(sa_type=Text)
    player_id: int | None = Field(sa_column=reference_column("player.id", nullable=True))
    provider_id: int | None = Field(sa_column=reference_column("provider.id", nullable=True))
    currency: str = Field(sa_column=reference_column("currency.code"))
    balance: Decimal | None = Field(sa_column=Column(BALANCE, nullable=True))
    last_seq: int = Field(
        default=0, sa_column=Column(BigInteger, server_default=text("0"), nullable=False)
    )
