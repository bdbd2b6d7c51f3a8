"""Finding things, and the life of a bet."""

from api.console.live import last_minute
from api.console.queue import now
from api.console.visit import ROWS, Go, View, Visit
from models.database.failures import unavailable
from models.reports.bet_life import bet_life
from models.reports.bets import BetFilter, find_bets
from models.reports.open_ages import open_bet_ages
from models.reports.search import search


def home(visit: Visit) -> View:
    """What is going on now."""
    with visit.reading() as database:
        ages, minute = open_bet_ages(database), last_minute(database)
    return View("home", {"queue": now(visit), "ages": ages, "minute": minute})


def search_(visit: Visit) -> View | Go:
    """What has this id. One thing alone is shown at once."""
    said = visit.option("q")
    if said is None:
        return Go("/")
    with unavailable():
        found = search(visit.database_url, said, ROWS)
    if found.count == 1 and not found.more_bets:
        if found.player is not None:
            return Go("/player", {"id": found.player.player})
        if found.session is not None:
            return Go("/session", {"id": found.session.session_id})
        return Go("/bet", {"provider": found.bets[0].provider, "id": found.bets[0].bet_id})
    return View("search", {"q": said, "found": found})


def bet(visit: Visit) -> View:
    """What happened to a bet, in order of time."""
    with visit.reading() as database:
        life = bet_life(database, visit.text("provider"), visit.text("id"))
    return View("bet", {"life": life, "bet": life.bet, "session": life.session})


def bets(visit: Visit) -> View:
    """The bets of a player, a session or a round, or the open bets of a provider."""
    wanted = BetFilter(
        provider=visit.option("provider"),
        session_id=visit.option("session"),
        round_id=visit.option("round"),
        player=visit.option("player"),
        state=visit.option("state"),
    )
    with unavailable():
        page = find_bets(visit.database_url, wanted, ROWS, visit.position(visit.option("cursor")))
    return View("bets", {"bets": page.items, "next": visit.cursor(page.next), **_asked(visit)})


def _asked(visit: Visit) -> dict[str, object]:
    names = ("provider", "session", "round", "player", "state")
    return {"asked": {name: visit.fields[name] for name in names if visit.option(name)}}
