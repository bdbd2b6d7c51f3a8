"""Bets, the result of the house, open bets, and the audit log. Nothing is changed here."""

from datetime import timedelta

from starlette.responses import Response

from api.operator import answers, forms
from api.operator.call import Call, Reply, csv_response
from models.database.failures import unavailable
from models.errors import NotFound
from models.reports.audit_entries import Wanted, list_entries
from models.reports.bet import show_bet
from models.reports.house import house_result
from models.reports.open_bets import list_open_bets
from models.reports.parties import show_provider
from models.reports.statement import Period


def find_bets(call: Call, form: forms.FindBets) -> Reply:
    """Show the bet of a provider with its transfers. A bet that is not recorded gives no item."""
    items = []
    with call.reading() as database:
        show_provider(database, form.provider_id)
        try:
            found = show_bet(database, form.provider_id, form.bet_id)
        except NotFound:
            pass
        else:
            items.append(answers.Bet.model_validate(found))
    return Reply(answers.BetPage(items=items, next=None))


def house(call: Call, form: forms.HouseReport) -> Reply | Response:
    """Show the result of the house by day (UTC), provider and currency."""
    period = Period(form.since, form.until)
    with unavailable():
        days = list(house_result(call.database_url, period, form.provider_id, form.currency))
    if form.format == "csv":
        return csv_response(answers.HouseDay, days, "house")
    items = [answers.HouseDay.model_validate(day) for day in days]
    return Reply(answers.HouseResult(items=items))


def open_bets(call: Call, form: forms.OpenBets) -> Reply | Response:
    """List bets of a provider that have no pay-out or refund yet, the oldest first."""
    with unavailable():
        age = timedelta(minutes=form.older_than_minutes)
        listing = list_open_bets(call.database_url, form.provider_id, age)
    if form.format == "csv":
        return csv_response(answers.OpenBet, listing, "open-bets")
    found = call.page(listing, form.limit, form.cursor)
    items = [answers.OpenBet.model_validate(one) for one in found.items]
    return Reply(answers.OpenBetPage(items=items, next=call.cursor(found.next)))


def audit(call: Call, form: forms.ListAudit) -> Reply:
    """List what operators have done, the newest first."""
    wanted = Wanted(Period(form.since, form.until), form.action, form.subject)
    found = call.page(list_entries(call.database_url, wanted), form.limit, form.cursor)
    items = [answers.AuditEntry.model_validate(one) for one in found.items]
    return Reply(answers.AuditPage(items=items, next=call.cursor(found.next)))
