"""What the tables share: names of constraints, columns of many, and what suits growing tables."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
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


#: For a table whose rows never change: PostgreSQL freezes them at the first vacuum, and vacuums
#: after every million rows, however large the table is (docs/adr/0025).
NEVER_CHANGED = {
    "postgresql_with": {
        "autovacuum_vacuum_insert_scale_factor": 0,
        "autovacuum_vacuum_insert_threshold": 1_000_000,
        "autovacuum_freeze_min_age": 0,
    }
}


def by_time(table: str) -> Index:
    """An index with which a report about a period reads only the blocks of that period."""
    return Index(
        f"{table}_by_time",
        "created_at",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
    )


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
