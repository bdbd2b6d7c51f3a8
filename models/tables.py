"""The tables, as SQLModel classes with named constraints: the truth that the rules also keep.

Classes with `table=True` do not validate, so untrusted data never meets one first. The hot path
does not use them (models/queries.py); operators' commands and migrations do.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Sequence,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlmodel import Field, SQLModel

# PostgreSQL holds NaN above every number, so that `>= 0` alone would let it in: the constraints
# below name it too.
AMOUNT = Numeric(33, 18)  # below 10^15, 18 decimals
BALANCE = Numeric(48, 18)  # far more than one amount

SQLModel.metadata.naming_convention = {
    "pk": "%(table_name)s_key",
    "fk": "%(table_name)s_%(column_0_name)s_exists",
    "ck": "%(constraint_name)s",
}

#: Ids of bets and transfers, drawn in blocks (models/queries.py: ID_BLOCK).
LEDGER_IDS = Sequence("ledger_ids", metadata=SQLModel.metadata, start=1000, increment=1000)


def _now() -> Any:
    return Column(DateTime(timezone=True), server_default=func.now(), nullable=False)


def _identity(kind: type[Integer] | type[BigInteger]) -> Any:
    return Column(kind, Identity(), primary_key=True)


def _reference(target: str, *, nullable: bool = False) -> Any:
    return Column(ForeignKey(target), nullable=nullable)


def _amount(*, nullable: bool = False) -> Any:
    return Column(AMOUNT, nullable=nullable)


class Currency(SQLModel, table=True):
    """A currency and its number of decimals: ISO 4217, and what operators add."""

    __table_args__ = (CheckConstraint("decimals between 0 and 18", "currency_decimals"),)

    code: str = Field(sa_column=Column(Text, primary_key=True))
    decimals: int = Field(sa_column=Column(SmallInteger, nullable=False))


class Provider(SQLModel, table=True):
    """A company whose games run; on the wire: the counterparty."""

    __table_args__ = (
        UniqueConstraint("counterparty_id", name="provider_once"),
        UniqueConstraint("name", name="provider_name_once"),
        CheckConstraint("status in ('active', 'suspended')", "provider_status"),
    )

    id: int | None = Field(default=None, sa_column=_identity(Integer))
    counterparty_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    status: str = Field(default="active", sa_type=Text)
    created_at: datetime | None = Field(default=None, sa_column=_now())


class ProviderSecret(SQLModel, table=True):
    """A key a provider signs with; several are valid at once, so that one can be replaced."""

    __tablename__ = "provider_secret"

    id: int | None = Field(default=None, sa_column=_identity(Integer))
    provider_id: int = Field(sa_column=_reference("provider.id"))
    secret: str = Field(sa_type=Text)
    created_at: datetime | None = Field(default=None, sa_column=_now())
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Player(SQLModel, table=True):
    """A person, the same across providers; on the wire: the user."""

    __table_args__ = (
        UniqueConstraint("external_id", name="player_once"),
        CheckConstraint("status in ('active', 'blocked')", "player_status"),
    )

    id: int | None = Field(default=None, sa_column=_identity(BigInteger))
    external_id: str = Field(sa_type=Text)
    status: str = Field(default="active", sa_type=Text)
    created_at: datetime | None = Field(default=None, sa_column=_now())


class Account(SQLModel, table=True):
    """Money of one owner in one currency.

    Only a player's account holds a balance. A house account (of a provider) and the cash account
    (of the world outside) are sums of transfers: no row that every bet would have to lock.
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

    id: int | None = Field(default=None, sa_column=_identity(BigInteger))
    kind: str = Field(sa_type=Text)
    player_id: int | None = Field(sa_column=_reference("player.id", nullable=True))
    provider_id: int | None = Field(sa_column=_reference("provider.id", nullable=True))
    currency: str = Field(sa_column=_reference("currency.code"))
    balance: Decimal | None = Field(sa_column=Column(BALANCE, nullable=True))
    last_seq: int = Field(
        default=0, sa_column=Column(BigInteger, server_default=text("0"), nullable=False)
    )


class Session(SQLModel, table=True):
    """One launch of one game for one player; its account and provider never change."""

    __table_args__ = (
        CheckConstraint("min_bet >= 0 and min_bet <> 'NaN'", "session_min_bet_not_negative"),
        CheckConstraint("max_bet >= 0 and max_bet <> 'NaN'", "session_max_bet_not_negative"),
        CheckConstraint("min_bet <= max_bet", "session_limits_in_order"),
    )

    id: str = Field(sa_column=Column(Text, primary_key=True))
    provider_id: int = Field(sa_column=_reference("provider.id"))
    account_id: int = Field(sa_column=_reference("account.id"))
    min_bet: Decimal | None = Field(default=None, sa_column=_amount(nullable=True))
    max_bet: Decimal | None = Field(default=None, sa_column=_amount(nullable=True))
    opened_at: datetime | None = Field(default=None, sa_column=_now())
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    closed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Bet(SQLModel, table=True):
    """One stake and its outcome; (`provider_id`, `bet_id`) is its identity, for ever."""

    __table_args__ = (
        UniqueConstraint("provider_id", "bet_id", name="bet_once"),
        Index("bet_open", "provider_id", "created_at", "id", postgresql_where="state = 'open'"),
        CheckConstraint("stake >= 0 and stake <> 'NaN'", "bet_stake_not_negative"),
        CheckConstraint("win >= 0 and win <> 'NaN'", "bet_win_not_negative"),
        CheckConstraint("opened_by in ('pay_in', 'pay_in_out', 'refund')", "bet_opened_by"),
        CheckConstraint(
            "state in ('open', 'settled', 'refunded', 'rejected', 'cancelled')", "bet_state"
        ),
        CheckConstraint("(stake is null) = (opened_by = 'refund')", "bet_stake_known"),
        CheckConstraint(
            "(refused_with is not null) = (state = 'rejected')", "bet_refused_when_rejected"
        ),
    )

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    provider_id: int = Field(sa_type=Integer)
    bet_id: str = Field(sa_type=Text)
    account_id: int = Field(sa_column=_reference("account.id"))
    session_id: str = Field(sa_type=Text)
    round_id: str | None = Field(default=None, sa_type=Text)
    opened_by: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    stake: Decimal | None = Field(sa_column=_amount(nullable=True))
    win: Decimal | None = Field(default=None, sa_column=_amount(nullable=True))
    odd: Decimal | None = Field(default=None, sa_column=_amount(nullable=True))
    refused_with: int | None = Field(default=None, sa_type=SmallInteger)
    created_at: datetime | None = Field(default=None, sa_column=_now())
    updated_at: datetime | None = Field(default=None, sa_column=_now())


class Transfer(SQLModel, table=True):
    """One movement of money, balanced by construction; never changed, never deleted.

    `account` is the player's side; `account_seq` numbers its transfers from 1 and `balance_after`
    is its balance then: a chain without a gap. `bet` is the row, not the provider's `bet_id`.
    No foreign key to the other side: every bet of a provider would lock that one row.
    """

    __table_args__ = (
        UniqueConstraint("bet", "kind", name="transfer_kind_once"),
        UniqueConstraint("account", "account_seq", name="transfer_account_seq_once"),
        Index(
            "transfer_reference_once",
            "reference",
            unique=True,
            postgresql_where="reference is not null",
        ),
        CheckConstraint("amount >= 0 and amount <> 'NaN'", "transfer_amount_not_negative"),
        CheckConstraint(
            "balance_after >= 0 and balance_after <> 'NaN'", "transfer_balance_not_negative"
        ),
        CheckConstraint("account_seq > 0", "transfer_account_seq_from_one"),
        CheckConstraint("debit_account <> credit_account", "transfer_between_two"),
        CheckConstraint(
            "case when kind in ('win', 'refund', 'deposit') then credit_account = account"
            " when kind in ('stake', 'win_reversal', 'withdrawal') then debit_account = account"
            " else false end",
            "transfer_direction",
        ),
        CheckConstraint(
            "(bet is null) = (kind in ('deposit', 'withdrawal'))"
            " and (bet is null) = (reference is not null)",
            "transfer_of_bet_or_reference",
        ),
    )

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    bet: int | None = Field(sa_column=_reference("bet.id", nullable=True))
    kind: str = Field(sa_type=Text)
    debit_account: int = Field(sa_type=BigInteger)
    credit_account: int = Field(sa_type=BigInteger)
    amount: Decimal = Field(sa_column=_amount())
    account: int = Field(sa_column=_reference("account.id"))
    account_seq: int = Field(sa_type=BigInteger)
    balance_after: Decimal = Field(sa_column=Column(BALANCE, nullable=False))
    reference: str | None = Field(default=None, sa_type=Text)
    #: Month in which the bet was recorded (UTC): the key by which this table may be partitioned.
    month: date = Field(sa_type=Date)
    created_at: datetime | None = Field(default=None, sa_column=_now())
