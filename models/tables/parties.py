"""Who plays and with what: currencies, providers and their secrets, players, accounts."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from models.tables.columns import (
    BALANCE,
    amount_column,
    identity_column,
    now_column,
    reference_column,
)


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
        CheckConstraint("cardinality(networks) between 1 and 64", "provider_networks_few"),
        CheckConstraint("rate_max > 0", "provider_rate_positive"),
    )

    id: int | None = Field(default=None, sa_column=identity_column(Integer))
    counterparty_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    status: str = Field(default="active", sa_type=Text)
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    #: Whether no call of the provider is accepted, because a secret leaked.
    locked: bool = Field(
        default=False, sa_column=Column(Boolean, server_default=text("false"), nullable=False)
    )
    #: The networks from which it may call. None: from anywhere.
    networks: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text)))
    #: Requests per second that are accepted. None: any number.
    rate_max: int | None = Field(default=None, sa_type=Integer)
    #: Where we call it, for its games and their launch. None: we do not.
    url: str | None = Field(default=None, sa_type=Text)


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
        CheckConstraint("max_win >= 0 and max_win <> 'NaN'", "account_max_win_not_negative"),
        CheckConstraint(
            "max_daily_win >= 0 and max_daily_win <> 'NaN'", "account_max_daily_win_not_negative"
        ),
        CheckConstraint(
            "kind = 'house' or (max_win is null and max_daily_win is null)", "account_wins_of_house"
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
    #: The largest win of one bet, and of all bets of one day, that this house account pays.
    max_win: Decimal | None = Field(default=None, sa_column=amount_column(nullable=True))
    max_daily_win: Decimal | None = Field(default=None, sa_column=Column(BALANCE, nullable=True))


class WinDay(SQLModel, table=True):
    """The wins that a house account has paid on one day (UTC) while it had a limit per day.

    A house account without that limit has no row (docs/adr/0024).
    """

    __tablename__ = "win_day"
    __table_args__ = (CheckConstraint("total >= 0 and total <> 'NaN'", "win_day_not_negative"),)

    account_id: int = Field(sa_column=reference_column("account.id", primary_key=True))
    day: date = Field(sa_column=Column(Date, primary_key=True))
    total: Decimal = Field(
        default=Decimal(0), sa_column=Column(BALANCE, server_default=text("0"), nullable=False)
    )
