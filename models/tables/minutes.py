"""What all gateways did in each minute of the last day, for the console (docs/adr/0036)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class GatewayMinute(SQLModel, table=True):
    """One minute. Housekeeping deletes it after a day."""

    __tablename__ = "gateway_minute"

    minute: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    #: How many answers: of two reports about the minute, the one with more is the later one.
    answers: int = Field(sa_column=Column(BigInteger, nullable=False))
    #: As `MinuteFigures.to_json` writes them.
    figures: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
