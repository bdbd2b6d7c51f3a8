"""Providers: what they may do, their secrets, and their open bets."""

from datetime import UTC, datetime

from api.console.visit import Go, View, Visit
from models.directory.provider_rules import set_lock
from models.directory.providers import (
    ProviderStatus,
    add_secret,
    revoke_secret,
    set_provider_status,
)
from models.reports.open_ages import open_bet_ages
from models.reports.parties import list_providers, show_provider

_ID_MAX = 2**31 - 1


def providers(visit: Visit) -> View:
    """All providers."""
    with visit.reading() as database:
        return View("providers", {"providers": list_providers(database)})


def provider(visit: Visit) -> View:
    """A provider with its limits, its secrets' ages, and its open bets."""
    return _shown(visit, "")


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


def new_secret(visit: Visit) -> View:
    """Add a secret, and show it this once."""
    with visit.changing(visit.note) as database:
        _, secret = add_secret(database, visit.text("id"), visit.services.cipher)
    return _shown(visit, secret)


def end_secret(visit: Visit) -> Go:
    """Revoke a secret for good."""
    id_, secret_id = visit.text("id"), visit.whole("secret", _ID_MAX)
    with visit.changing(visit.note) as database:
        revoke_secret(database, id_, secret_id)
    return Go("/provider", {"id": id_}, "revoked")


def _shown(visit: Visit, secret: str) -> View:
    with visit.reading() as database:
        found = show_provider(database, visit.text("id"))
        ages = open_bet_ages(database, found.provider.counterparty_id)
    now = datetime.now(UTC)
    return View("provider", {"found": found, "ages": ages, "now": now, "secret": secret})


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
