"""What is played: sessions, bets, and the transfers of their money."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

# `parties` must be imported too: these tables refer to its tables by name.
from models.tables import parties  # noqa: F401
from models.tables.columns import (
    BALANCE,
    NEVER_CHANGED,
    amount_column,
    by_time,
    now_column,
    reference_column,
)


class Session(SQLModel, table=True):
    """One launch of one game for one player. Its account and provider never change."""

    __table_args__ = (
        CheckConstraint("min_bet >= 0 and min_bet <> 'NaN'", "session_min_bet_not_negative"),
        CheckConstraint("max_bet >= 0 and max_bet <> 'NaN'", "session_max_bet_not_negative"),
        # For a session that replaces others (models/directory/sessions.py).
        Index(
            *("session_not_closed", "account_id", "provider_id", "expires_at"),
            postgresql_where="closed_at is null",
        ),
        CheckConstraint("min_bet <= max_bet", "session_limits_in_order"),
        CheckConstraint("mode in ('real', 'demo')", "session_mode"),
    )

    id: str = Field(sa_column=Column(Text, primary_key=True))
    provider_id: int = Field(sa_column=reference_column("provider.id"))
    account_id: int = Field(sa_column=reference_column("account.id"))
    min_bet: Decimal | None = Field(default=None, sa_column=amount_column(nullable=True))
    max_bet: Decimal | None = Field(default=None, sa_column=amount_column(nullable=True))
    opened_at: datetime | None = Field(default=None, sa_column=now_column())
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    closed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    game: str | None = Field(default=None, sa_type=Text)
    language: str | None = Field(default=None, sa_type=Text)
    #: `real` is played with money, `demo` with play money (models/play_money.py).
    mode: str = Field(
        default="real", sa_column=Column(Text, server_default=text("'real'"), nullable=False)
    )


class Bet(SQLModel, table=True):
    """One stake and its outcome. (`provider_id`, `bet_id`) is its identity, for ever."""

    __table_args__ = (
        UniqueConstraint("provider_id", "bet_id", name="bet_once"),
        by_time("bet"),
        Index("bet_open", "provider_id", "created_at", "id", postgresql_where="state = 'open'"),
        # A hash of round and provider, because a round may be long, and providers may give the same
        # names. Open bets apart, so that the few of an account are found in a long round.
        Index(
            "bet_of_round",
            text("hashtextextended(round_id, provider_id)"),
            text("(state = 'open')"),
            *("account_id", "id"),
            postgresql_where="round_id is not null",
        ),
        Index(
            "bet_rejected", "account_id", "created_at", "id", postgresql_where="state = 'rejected'"
        ),
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
        CheckConstraint(
            "reason is null or (refused_with is not distinct from 5 and reason in"
            " ('player_blocked', 'provider_suspended', 'below_limit', 'above_limit',"
            " 'win_above_limit', 'win_above_daily_limit'))",
            "bet_reason_of_not_allowed",
        ),
    )

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    provider_id: int = Field(sa_type=Integer)
    bet_id: str = Field(sa_type=Text)
    account_id: int = Field(sa_column=reference_column("account.id"))
    session_id: str = Field(sa_type=Text)
    round_id: str | None = Field(default=None, sa_type=Text)
    opened_by: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    stake: Decimal | None = Field(sa_column=amount_column(nullable=True))
    win: Decimal | None = Field(default=None, sa_column=amount_column(nullable=True))
    odd: Decimal | None = Field(default=None, sa_column=amount_column(nullable=True))
    refused_with: int | None = Field(default=None, sa_type=SmallInteger)
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    updated_at: datetime | None = Field(default=None, sa_column=now_column())
    reason: str | None = Field(default=None, sa_type=Text)
    #: As the provider named it, if the session names none.
    game: str | None = Field(default=None, sa_type=Text)


class FinishedRound(SQLModel, table=True):
    """A round of one account in which the provider takes no stake any more.

    No foreign key: each would cost a look-up for every round, of a row that is locked anyway.
    """

    __tablename__ = "finished_round"
    __table_args__ = (Index("finished_round_id", "id", unique=True), NEVER_CHANGED)

    account_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    provider_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    round_id: str = Field(sa_column=Column(Text, primary_key=True))
    created_at: datetime | None = Field(default=None, sa_column=now_column())
    #: For the journal, which names records by id. A row of an older version has none.
    id: int | None = Field(default=None, sa_type=BigInteger)
    #: How many transfers the account had then: no stake of the round has a greater number.
    account_seq: int | None = Field(default=None, sa_type=BigInteger)


class Transfer(SQLModel, table=True):
    """One movement of money, balanced by construction. It is never changed and never deleted.

    `account` is the player's side. `account_seq` numbers its transfers from 1, and `balance_after`
    is its balance then: a chain without a gap. `bet` is the row, not the provider's `bet_id`. The
    other side has no foreign key: otherwise every bet of a provider would lock that one row.
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
        by_time("transfer"),
        NEVER_CHANGED,
    )

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    bet: int | None = Field(sa_column=reference_column("bet.id", nullable=True))
    kind: str = Field(sa_type=Text)
    debit_account: int = Field(sa_type=BigInteger)
    credit_account: int = Field(sa_type=BigInteger)
    amount: Decimal = Field(sa_column=amount_column())
    account: int = Field(sa_column=reference_column("account.id"))
    account_seq: int = Field(sa_type=BigInteger)
    balance_after: Decimal = Field(sa_column=Column(BALANCE, nullable=False))
    reference: str | None = Field(default=None, sa_type=Text)
    #: The month in which the bet was recorded (UTC). Why this table is not partitioned by it:
    #: docs/adr/0025.
    month: date = Field(sa_type=Date)
    created_at: datetime | None = Field(default=None, sa_column=now_column())


class RefusedOrder(SQLModel, table=True):
    """An operator's order that was refused for lack of money. Its job can never succeed later.

    Its reference is free: the operator may order the same once more (broker/orders.py).
    """

    __tablename__ = "refused_order"

    id: str = Field(sa_column=Column(Text, primary_key=True))
    created_at: datetime | None = Field(default=None, sa_column=now_column())
