"""Bets, the result of the house, open bets, and the audit log. Nothing is changed here."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import TextIO

from starlette.responses import Response

from api.operator import bet_answers as answers
from api.operator import forms
from api.operator.answers import AuditEntry, AuditPage, LedgerState, Session
from api.operator.call import Call, Reply, csv_response
from models.audit.bet_list import BetList, CsvBets, JsonBets, utf_8
from models.audit.reconcile import Difference, Reconciliation, Scope
from models.audit.reconcile import reconcile as compare
from models.database.failures import unavailable
from models.durations import read_duration
from models.money import plain
from models.reports.audit_entries import Wanted, list_entries
from models.reports.bet_life import bet_life
from models.reports.bets import BetFilter, find_whole_bets
from models.reports.house import house_result
from models.reports.open_ages import open_bet_ages
from models.reports.open_bets import list_open_bets
from models.reports.statement import Period
from models.reports.vitals import last_times

#: How a provider's list is read, by its media type.
LISTS: Mapping[str, Callable[[TextIO], BetList]] = {
    "text/csv": CsvBets,
    "application/json": JsonBets,
}


def find_bets(call: Call, form: forms.FindBets) -> Reply:
    """Search bets. One that is not recorded gives no item."""
    wanted = BetFilter(
        provider=form.provider_id,
        bet_id=form.bet_id,
        transaction_id=form.transaction_id,
        session_id=form.session_id,
        round_id=form.game_round_id,
        player=form.player,
        state=form.state,
        older_than=None if form.older_than is None else read_duration(form.older_than),
    )
    begin = call.position(form.cursor)
    with unavailable():
        found = find_whole_bets(call.database_url, wanted, form.limit, begin)
    items = [answers.Bet.model_validate(bet) for bet in found.items]
    return Reply(answers.BetPage(items=items, next=call.cursor(found.next)))


def show_life(call: Call, form: forms.OneBet) -> Reply:
    """Show what happened to a bet, in the order of time, and what vouches for it."""
    with call.reading() as database:
        found = bet_life(database, form.provider_id, form.bet_id)
    events = [
        answers.BetEvent(
            at=one.at,
            event=one.event,
            facts={
                name: plain(fact) if isinstance(fact, Decimal) else fact
                for name, fact in one.facts.items()
            },
        )
        for one in found.events
    ]
    return Reply(
        answers.BetLife(
            bet=answers.Bet.model_validate(found.bet),
            session=Session.model_validate(found.session),
            events=events,
            journal=[
                answers.JournalPlace(
                    strand=str(row.strand),
                    number=row.number,
                    key=row.key,
                    created_at=row.created_at,
                )
                for row in found.journal
            ],
        )
    )


def house(call: Call, form: forms.HouseReport) -> Reply | Response:
    """Show the result of the house by day (UTC), provider, game and currency."""
    period = Period(form.since, form.until)
    with unavailable():
        of = (form.provider_id, form.currency, form.game)
        days = list(house_result(call.database_url, period, *of))
    if form.format == "csv":
        return csv_response(answers.HouseDay, days, "house")
    items = [answers.HouseDay.model_validate(day) for day in days]
    return Reply(answers.HouseResult(items=items))


def open_bets(call: Call, form: forms.OpenBets) -> Reply | Response:
    """List bets of a provider that have no pay-out or refund yet, the oldest first."""
    with unavailable():
        age = read_duration(form.older_than)
        listing = list_open_bets(call.database_url, form.provider_id, age)
    if form.format == "csv":
        return csv_response(answers.OpenBet, listing, "open-bets")
    found = call.page(listing, form.limit, form.cursor)
    items = [answers.OpenBet.model_validate(one) for one in found.items]
    return Reply(answers.OpenBetPage(items=items, next=call.cursor(found.next)))


def open_ages(call: Call, form: forms.OpenAges) -> Reply | Response:
    """Show how many bets are open now, by provider, currency and age."""
    with call.reading() as database:
        found = open_bet_ages(database, form.provider_id)
    if form.format == "csv":
        return csv_response(answers.OpenAge, found, "open-bets-by-age")
    return Reply(answers.OpenAges(items=[answers.OpenAge.model_validate(one) for one in found]))


def reconcile(call: Call, form: forms.Reconcile) -> Reply | Response:
    """Compare a provider's own list of its bets, which is the body, with ours."""
    if form.format == "csv":
        return csv_response(answers.Difference, _differences(call, form), "differences")
    with _compared(call, form) as found:
        counts = found.counts
        return Reply(
            answers.Reconciliation(
                provider_id=form.provider_id,
                ok=not counts,
                listed=found.listed,
                missing_here=counts.get("missing_here", 0),
                missing_there=counts.get("missing_there", 0),
                differing=counts.get("differs", 0),
                bad_lines=counts.get("bad_line", 0),
                differences=[
                    answers.Difference.model_validate(one)
                    for one in islice(found.differences, form.limit)
                ],
            )
        )


def audit(call: Call, form: forms.ListAudit) -> Reply:
    """List what operators have done, the newest first."""
    wanted = Wanted(Period(form.since, form.until), form.action, form.subject)
    found = call.page(list_entries(call.database_url, wanted), form.limit, form.cursor)
    items = [AuditEntry.model_validate(one) for one in found.items]
    return Reply(AuditPage(items=items, next=call.cursor(found.next)))


def ledger(call: Call, form: forms.Nothing) -> Reply:  # noqa: ARG001
    """Tell when the ledger was last verified, sealed and copied."""
    with call.reading() as database:
        done = last_times(database)
    times = {"verified_at": "verify", "sealed_at": "seal", "backed_up_at": "backup"}
    return Reply(LedgerState(**{name: done.get(chore) for name, chore in times.items()}))


def _differences(call: Call, form: forms.Reconcile) -> Iterator[Difference]:
    with _compared(call, form) as found:
        yield from found.differences


@contextmanager
def _compared(call: Call, form: forms.Reconcile) -> Iterator[Reconciliation]:
    """The comparison, as of one moment. Raises InvalidRequest for what is no such list."""
    if call.upload is None:
        raise TypeError("a route without an upload")
    with call.upload.text() as file, unavailable(), utf_8("The list"):
        bets = LISTS[call.upload.media_type](file)
        scope = Scope("stake" in bets.columns, "win" in bets.columns, form.since, form.until)
        with compare(call.database_url, form.provider_id, bets, scope) as found:
            yield found
