"""The house's result of bets: stakes and wins of a provider, by game, currency and day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import text

from models.database.transactions import one_moment, stream, transaction
from models.directory.providers import find_provider
from models.play_money import PATTERN
from models.reports.statement import ALWAYS, Period

#: A transfer of a bet counts on the day on which it was made. So a refund does not change the day
#: of its stake.
_RESULT = text("""
    select provider.counterparty_id, provider.name, coalesce(session.game, bet.game) as game,
           a.currency,
           cast(t.created_at at time zone 'UTC' as date) as day,
           count(*) filter (where t.kind = 'stake'),
           coalesce(sum(t.amount) filter (where t.kind = 'stake'), 0),
           coalesce(sum(t.amount) filter (where t.kind = 'win'), 0),
           coalesce(sum(t.amount) filter (where t.kind = 'refund'), 0),
           coalesce(sum(t.amount) filter (where t.kind = 'win_reversal'), 0),
           sum(case when t.debit_account = t.account then t.amount else -t.amount end)
    from transfer t
    join bet on bet.id = t.bet
    join session on session.id = bet.session_id
    join provider on provider.id = bet.provider_id
    join account a on a.id = t.account
    where (cast(:provider as text) is null or provider.counterparty_id = :provider)
      and case when cast(:currency as text) is null then a.currency not like :play
               else a.currency = :currency end
      and (cast(:game as text) is null or coalesce(session.game, bet.game) = :game)
      and t.created_at >= coalesce(cast(:since as timestamptz), '-infinity')
      and t.created_at < coalesce(cast(:until as timestamptz), 'infinity')
    group by provider.id, coalesce(session.game, bet.game), a.currency, day
    order by day, provider.id, coalesce(session.game, bet.game) nulls first, a.currency
""")


@dataclass(frozen=True, slots=True)
class HouseDay:
    """Bets of one provider, game and currency on one day (UTC)."""

    provider: str  # its `X-Counterparty-Id`
    name: str
    game: str | None  # that of the session, otherwise as the bet names it; None: neither does
    currency: str
    day: date
    bets: int  # stakes taken, including those of 0
    stakes: Decimal
    wins: Decimal
    refunds: Decimal  # stakes given back
    win_reversals: Decimal  # wins taken back
    result: Decimal  # gross gaming revenue: what players paid minus what they were paid


def house_result(
    database_url: str,
    period: Period = ALWAYS,
    counterparty_id: str | None = None,
    currency: str | None = None,
    game: str | None = None,
) -> Iterator[HouseDay]:
    """The result by day, provider, game and currency, as it is at one moment. Raises NotFound.

    It reads the transfers of the period, by the index on their time, and their bets. It has play
    money only if `currency` asks for one, such as `demo:EUR`.
    """
    if counterparty_id is not None:
        with transaction(database_url) as database:
            find_provider(database, counterparty_id)
    values: dict[str, object] = {
        "provider": counterparty_id,
        "currency": currency,
        "play": PATTERN,
        "game": game,
        "since": period.since,
        "until": period.until,
    }
    return _days(database_url, values)


def _days(database_url: str, values: dict[str, object]) -> Iterator[HouseDay]:
    with one_moment(database_url) as database:
        for row in stream(database.connection(), _RESULT, values):
            yield HouseDay(*row)
