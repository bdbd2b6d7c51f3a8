"""What gateways did in each minute of the last day: kept by portals, shown by the console."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from models.database.transactions import Transaction, transaction
from models.minute_figures import MinuteFigures
from models.tables import GatewayMinute


def keep_minutes(database_url: str, minutes: Mapping[int, MinuteFigures]) -> None:
    """Record minutes, each by its number since 1970. Several portals may do it, and repeat it.

    A minute that is recorded already is replaced only by more answers. So nothing is lost if Redis
    has forgotten a part of them. Raises what SQLAlchemy raises, and errors of ours.
    """
    if not minutes:
        return
    rows = [
        {
            "minute": datetime.fromtimestamp(number * 60, UTC),
            "answers": figures.answers,
            "figures": json.loads(figures.to_json()),
        }
        for number, figures in sorted(minutes.items())
    ]
    said = insert(GatewayMinute).values(rows)
    new = {"answers": said.excluded.answers, "figures": said.excluded.figures}
    more = said.excluded.answers > col(GatewayMinute.answers)
    with transaction(database_url) as database:
        database.execute(
            said.on_conflict_do_update(index_elements=["minute"], set_=new, where=more)
        )


def read_minutes(
    database: Transaction, since: datetime, until: datetime
) -> dict[datetime, MinuteFigures]:
    """The minutes from `since` to just before `until`, without those of which nobody told."""
    minute = col(GatewayMinute.minute)
    rows = database.exec(select(GatewayMinute).where(minute >= since, minute < until))
    return {row.minute: MinuteFigures.from_json(json.dumps(row.figures)) for row in rows}
