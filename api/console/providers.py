"""Providers: what they may do, their secrets, and their open bets."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from api.console.visit import Go, View, Visit
from api.shared.problems import Problem
from models.database.transactions import Transaction
from models.directory.provider_rules import (
    RATE_MAX,
    LimitChange,
    set_allow_list,
    set_limits,
    set_lock,
)
from models.directory.providers import (
    ProviderStatus,
    add_secret,
    revoke_secret,
    set_provider_status,
)
from models.errors import InvalidRequest, UnknownCurrency
from models.money import read_amount
from models.reports.open_ages import open_bet_ages
from models.reports.parties import list_providers, show_provider

_ID_MAX = 2**31 - 1


class Trouble(NamedTuple):
    """Why a form was refused. `form` is the end of its address, and its currency, if it has one."""

    form: str
    said: str


def providers(visit: Visit) -> View:
    """All providers."""
    with visit.reading() as database:
        return View("providers", {"providers": list_providers(database)})


def provider(visit: Visit) -> View:
    """A provider with its limits, its secrets' ages, and its open bets."""
    return _shown(visit)


def suspend(visit: Visit) -> Go:
    """Refuse new bets of a provider."""
    return _set_status(visit, "suspended", "suspended")


def resume(visit: Visit) -> Go:
    """Accept new bets of a provider again."""
    return _set_status(visit, "active", "resumed")


def lock(visit: Visit) -> Go:
    """Accept no call of a provider at all."""
    return _set_lock(visit, locked=True)


def unlock(visit: Visit) -> Go:
    """Accept calls of a provider again."""
    return _set_lock(visit, locked=False)


def change_rate(visit: Visit) -> View | Go:
    """Limit the requests per second of a provider, or take the limit away."""

    def change(database: Transaction, id_: str) -> None:
        rate = visit.whole("rate", RATE_MAX) if visit.option("rate") else None
        set_limits(database, id_, LimitChange(rate, without_rate=rate is None))

    return _changed(visit, "rate", change, "limits")


def change_wins(visit: Visit) -> View | Go:
    """Limit the largest wins of a provider in a currency, or take these limits away."""

    def change(database: Transaction, id_: str) -> None:
        currency = visit.text("currency")
        most, daily = _amount(visit, "maxWin"), _amount(visit, "maxDailyWin")
        wins = LimitChange(max_win={currency: most}, max_daily_win={currency: daily})
        set_limits(database, id_, wins)

    listed = visit.option("listed") or ""  # the currency, if the form is that of a limit
    return _changed(visit, f"wins {listed}".strip(), change, "limits")


def change_allow_list(visit: Visit) -> View | Go:
    """Accept calls of a provider only from the networks in the form; none: from anywhere."""

    def change(database: Transaction, id_: str) -> None:
        set_allow_list(database, id_, (visit.option("networks") or "").replace(",", " ").split())

    return _changed(visit, "allow-list", change, "allow-list")


def new_secret(visit: Visit) -> View:
    """Add a secret, and show it this once."""
    with visit.changing(visit.note) as database:
        _, secret = add_secret(database, visit.text("id"), visit.services.cipher)
    return _shown(visit, secret=secret)


def end_secret(visit: Visit) -> Go:
    """Revoke a secret for good."""
    id_, secret_id = visit.text("id"), visit.whole("secret", _ID_MAX)
    with visit.changing(visit.note) as database:
        revoke_secret(database, id_, secret_id)
    return Go("/provider", {"id": id_}, "revoked")


def _changed(
    visit: Visit, form: str, change: Callable[[Transaction, str], None], done: str
) -> View | Go:
    """Change something, or show the form again with what is wrong in it."""
    id_ = visit.text("id")
    try:
        with visit.changing(visit.note) as database:
            change(database, id_)
    except (InvalidRequest, UnknownCurrency, Problem) as error:
        return _shown(visit, trouble=Trouble(form, str(error)))
    return Go("/provider", {"id": id_}, done)


def _amount(visit: Visit, name: str) -> Decimal | None:
    """An amount of the form; None if the field is empty. Raises InvalidRequest."""
    text = visit.option(name)
    return None if text is None else read_amount(text, "The limit")


def _shown(visit: Visit, *, secret: str = "", trouble: Trouble | None = None) -> View:
    with visit.reading() as database:
        found = show_provider(database, visit.text("id"))
        ages = open_bet_ages(database, found.provider.counterparty_id)
    values = {"found": found, "ages": ages, "now": datetime.now(UTC), "secret": secret}
    form = {"trouble": trouble, "given": visit.fields if trouble else {}}
    return View("provider", values | form, status=422 if trouble else 200)


def _set_status(visit: Visit, status: ProviderStatus, done: str) -> Go:
    id_ = visit.text("id")
    with visit.changing(visit.note) as database:
        set_provider_status(database, id_, status)
    return Go("/provider", {"id": id_}, done)


def _set_lock(visit: Visit, *, locked: bool) -> Go:
    id_ = visit.text("id")
    with visit.changing(visit.note) as database:
        set_lock(database, id_, locked=locked)
    return Go("/provider", {"id": id_}, "locked" if locked else "unlocked")
