"""Open bets by age: how many wait for their outcome, and since when. For one look at a console."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text
from sqlmodel import Session as DbSession

from models.directory.providers import find_provider
from models.play_money import PATTERN

#: Lower bounds of the age, each up to the next one, by name.
BUCKETS = {
    "under 1 minute": "0 s",
    "1 minute": "1 minute",
    "15 minutes": "15 minutes",
    "1 hour": "1 hour",
    "1 day": "1 day",
    "7 days": "7 days",
}

_AGES = text(f"""
    with bucket as (
        select *, lead(least_age) over (order by least_age) as most_age
        from (values {", ".join(f"('{name}', interval '{age}')" for name, age in BUCKETS.items())})
             named(age, least_age)
    )
    select provider.counterparty_id, provider.name, account.currency, bucket.age, count(*),
           sum(bet.stake), min(bet.created_at)
    from provider
    join bet on bet.provider_id = provider.id and bet.state = 'open'
    join account on account.id = bet.account_id
    join bucket on bet.created_at <= now() - bucket.least_age
               and (bucket.most_age is null or bet.created_at > now() - bucket.most_age)
    where (cast(:provider as text) is null or provider.counterparty_id = :provider)
      and account.currency not like :play
    group by provider.id, account.currency, bucket.age, bucket.least_age
    order by provider.id, account.currency, bucket.least_age
""")  # noqa: S608 - the only things put in are constants


@dataclass(frozen=True, slots=True)
class OpenAge:
    """The open bets of one provider and currency whose age is in one bucket."""

    provider: str  # its `X-Counterparty-Id`
    name: str
    currency: str
    age: str  # at least this long, and less than the next bucket
    bets: int
    stakes: Decimal
    oldest_at: datetime

    def row(self) -> dict[str, object]:
        """The fields with the names of the API and of CSV."""
        return {
            "provider": self.provider,
            "name": self.name,
            "currency": self.currency,
            "age": self.age,
            "bets": self.bets,
            "stakes": self.stakes,
            "oldestAt": self.oldest_at,
        }


TITLES = ("provider", "name", "currency", "age", "bets", "stakes", "oldestAt")


def open_bet_ages(database: DbSession, counterparty_id: str | None = None) -> list[OpenAge]:
    """Open bets by provider, currency and age, as they are now. Empty buckets are left out.

    Bets with play money are left out, too. An index has the open bets alone. Raises NotFound.
    """
    if counterparty_id is not None:
        find_provider(database, counterparty_id)
    found = database.execute(_AGES, {"provider": counterparty_id, "play": PATTERN})
    return [OpenAge(*row) for row in found]
