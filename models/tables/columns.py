"""What the tables share: the names of constraints, and the columns that many of them have."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    Numeric,
    Sequence,
    func,
)
from sqlmodel import SQLModel

# PostgreSQL sorts NaN above every number, so that `>= 0` alone would accept it. The constraints of
# the tables therefore name it too.
AMOUNT = Numeric(33, 18)  # below 10^15, 18 decimals
BALANCE = Numeric(48, 18)  # far more than one amount

SQLModel.metadata.naming_convention = {
    "pk": "%(table_name)s_key",
    "fk": "%(table_name)s_%(column_0_name)s_exists",
    "ck": "%(constraint_name)s",
}

#: Ids of bets and transfers, drawn in blocks (models/ledger/load.py: ID_BLOCK).
LEDGER_IDS = Sequence("ledger_ids", metadata=SQLModel.metadata, start=1000, increment=1000)


def now_column() -> Any:
    """The time at which the row's transaction began."""
    return Column(DateTime(timezone=True), server_default=func.now(), nullable=False)


def identity_column(kind: type[Integer] | type[BigInteger]) -> Any:
    """A key that PostgreSQL counts."""
    return Column(kind, Identity(), primary_key=True)


def reference_column(target: str, *, nullable: bool = False, primary_key: bool = False) -> Any:
    """A foreign key to a column such as `bet.id`."""
    return Column(ForeignKey(target), nullable=nullable, primary_key=primary_key)


def amount_column(*, nullable: bool = False) -> Any:
    """An amount of money, or an odd."""
    return Column(AMOUNT, nullable=nullable)
