"""Players, their accounts and statements, and their sessions."""

from datetime import timedelta

from api.console.visit import ROWS, Go, View, Visit
from models.database.failures import unavailable
from models.directory.accounts import PlayerStatus, find_account, set_player_status
from models.directory.sessions import close_session, extend_session
from models.reports.bets import BetFilter, find_bets
from models.reports.parties import list_players, list_sessions, show_player, show_session
from models.reports.statement import Period, statement_page

_FEW = 10
_MINUTES_MAX = 7 * 24 * 60


def players(visit: Visit) -> View:
    """Players, the oldest first."""
    page = visit.listed(list_players(visit.database_url, visit.option("status")))
    values = {"players": page.items, "next": visit.cursor(page.next)}
    return View("players", values | {"status": visit.option("status") or ""})


def player(visit: Visit) -> View:
    """A player with accounts, and the newest sessions and bets."""
    name = visit.text("id")
    with visit.reading() as database:
        found = show_player(database, name)
    with unavailable():
        newest = list_sessions(visit.database_url, player=name).page(_FEW)
        bets = find_bets(visit.database_url, BetFilter(player=name), _FEW)
    return View("player", {"found": found, "sessions": newest.items, "bets": bets.items})


def block(visit: Visit) -> Go:
    """Refuse new bets of a player."""
    return _set_status(visit, "blocked", "blocked")


def unblock(visit: Visit) -> Go:
    """Accept bets of a player again."""
    return _set_status(visit, "active", "unblocked")


def statement(visit: Visit) -> View:
    """The transfers of an account, the oldest first."""
    name, currency = visit.text("id"), visit.text("currency")
    since, last = visit.day("since"), visit.day("until")
    period = Period(since, last and last + timedelta(days=1))
    with visit.reading() as database:
        account_id = find_account(database, name, currency).account_id
    begin = visit.position(visit.option("cursor"))
    with unavailable():
        page = statement_page(visit.database_url, account_id, period, ROWS, begin)
    asked = {key: visit.fields.get(key, "") for key in ("since", "until")}
    return View("statement", {"name": name, "page": page, "next": visit.cursor(page.next)} | asked)


def sessions(visit: Visit) -> View:
    """Sessions of a player, of a provider, or all, the newest first."""
    name, provider = visit.option("player"), visit.option("provider")
    open_only = visit.option("state") == "open"
    with unavailable():
        listing = list_sessions(
            visit.database_url, player=name, counterparty_id=provider, open_only=open_only
        )
    page = visit.listed(listing)
    asked = {key: visit.fields.get(key, "") for key in ("player", "provider", "state")}
    return View(
        "sessions", {"sessions": page.items, "next": visit.cursor(page.next), "asked": asked}
    )


def session(visit: Visit) -> View:
    """A session and its newest bets."""
    with visit.reading() as database:
        found = show_session(database, visit.text("id"))
    with unavailable():
        wanted = BetFilter(session_id=found.session_id)
        bets = find_bets(visit.database_url, wanted, _FEW)
    return View("session", {"session": found, "bets": bets.items})


def close(visit: Visit) -> Go:
    """Close a session."""
    id_ = visit.text("id")
    with visit.changing(visit.note) as database:
        close_session(database, id_)
    return Go("/session", {"id": id_}, "closed")


def extend(visit: Visit) -> Go:
    """Let an open session last longer."""
    id_, minutes = visit.text("id"), visit.whole("minutes", _MINUTES_MAX)
    with visit.changing(visit.note) as database:
        extend_session(database, id_, timedelta(minutes=minutes))
    return Go("/session", {"id": id_}, "extended")


def _set_status(visit: Visit, status: PlayerStatus, done: str) -> Go:
    name = visit.text("id")
    with visit.changing(visit.note) as database:
        set_player_status(database, name, status)
    return Go("/player", {"id": name}, done)
