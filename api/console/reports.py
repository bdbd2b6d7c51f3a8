"""What the house won, what operators did, and whether the books were verified."""

from datetime import UTC, datetime, time, timedelta
from typing import get_args

from api.console.chart import Bar, Chart, bars_of
from api.console.visit import View, Visit
from api.shared.problems import Problem
from models.database.failures import unavailable
from models.reports.audit_entries import SUBJECTS, Wanted, list_entries
from models.reports.house import HouseDay, house_result
from models.reports.parties import list_providers
from models.reports.statement import Period
from models.reports.vitals import Chore, last_times

_DAYS = 14
_DAYS_MAX = 400
_DAY = timedelta(days=1)


def house(visit: Visit) -> View:
    """The result of the house by day, as a table and one chart per currency."""
    today = datetime.combine(datetime.now(UTC).date(), time(), UTC)
    last = visit.day("until") or today
    since = visit.day("since") or last - (_DAYS - 1) * _DAY
    if not timedelta() <= last - since < _DAYS_MAX * _DAY:
        raise Problem(422, "invalid_request", f"Choose 1 to {_DAYS_MAX} days, the first one first.")
    provider, currency = visit.option("provider"), visit.option("currency")
    period = Period(since, last + _DAY)
    with unavailable():
        days = list(house_result(visit.database_url, period, provider, currency))
    with visit.reading() as database:
        known = list_providers(database)
    return View(
        "house",
        {
            "days": days,
            "charts": _charts(days, since, last),
            "providers": known,
            "provider": provider or "",
            "currency": currency or "",
            "since": f"{since:%Y-%m-%d}",
            "until": f"{last:%Y-%m-%d}",
        },
    )


def audit(visit: Visit) -> View:
    """What operators have done, the newest first."""
    since, last = visit.day("since"), visit.day("until")
    period = Period(since, last and last + _DAY)
    wanted = Wanted(period, visit.option("action"), visit.option("subject"))
    page = visit.listed(list_entries(visit.database_url, wanted))
    asked = {name: visit.fields.get(name, "") for name in ("action", "subject", "since", "until")}
    return View(
        "audit",
        {"entries": page.items, "next": visit.cursor(page.next), "asked": asked}
        | {"subjects": SUBJECTS},
    )


def ledger(visit: Visit) -> View:
    """When the ledger was last verified, sealed and copied, and how that is done."""
    with visit.reading() as database:
        done = last_times(database)
    times = {chore: done.get(chore) for chore in get_args(Chore)}
    return View("ledger", {"times": times, "now": datetime.now(UTC)})


def _charts(days: list[HouseDay], since: datetime, last: datetime) -> list[Chart]:
    """A chart of the result by day for each currency. Days without bets have bars of 0."""
    shown = [(since + number * _DAY).date() for number in range((last - since).days + 1)]
    charts = []
    for currency in sorted({day.currency for day in days}):
        mine = [day for day in days if day.currency == currency]
        by_day = {day: sum(one.result for one in mine if one.day == day) for day in shown}
        bars: list[Bar] = bars_of([(f"{day:%Y-%m-%d}", by_day[day]) for day in shown])
        charts.append(Chart(currency, bars))
    return charts
