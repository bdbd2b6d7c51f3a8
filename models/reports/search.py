"""Finds anything by one text: a player, a session, or bets by any of their ids."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import text

from models.database.transactions import transaction
from models.errors import InvalidRequest, NotFound
from models.reports.bets import BetFilter, ListedBet, find_bets
from models.reports.parties import ListedPlayer, ShownSession, show_player, show_session

_TRANSACTION_MAX = 2**63

# `limit 1` makes PostgreSQL look into the index of bets once per provider, however many bets exist.
_PROVIDERS_OF_BET = text("""
    select provider.counterparty_id
    from provider, lateral (
        select from bet where bet.provider_id = provider.id and bet.bet_id = :bet_id limit 1
    ) known
    order by provider.id limit :rows
""")


@dataclass(frozen=True, slots=True)
class Found:
    """What has this name or id."""

    player: ListedPlayer | None
    session: ShownSession | None
    bets: tuple[ListedBet, ...]
    more_bets: bool

    @property
    def count(self) -> int:
        """How many things were found, without those beyond the limit."""
        return len(self.bets) + (self.player is not None) + (self.session is not None)


def search(database_url: str, said: str, rows: int = 50) -> Found:
    """The player or session with this id, and at most `rows` bets.

    A bet is found by its betId at any provider, by a transaction id, or by its round.
    """
    player = session = None
    with transaction(database_url) as database:
        try:
            player = show_player(database, said).player
        except InvalidRequest:  # it is the id of nothing
            return Found(None, None, (), False)
        except NotFound:
            pass
        with suppress(NotFound):
            session = show_session(database, said)
        wanted = {"bet_id": said, "rows": rows + 1}
        providers = [row[0] for row in database.execute(_PROVIDERS_OF_BET, wanted)]
    filters = [BetFilter(provider=provider, bet_id=said) for provider in providers]
    if said.isascii() and said.isdigit() and len(said) < 20 and int(said) < _TRANSACTION_MAX:
        filters.append(BetFilter(transaction_id=int(said)))
    filters.append(BetFilter(round_id=said))
    bets: dict[tuple[str, str], ListedBet] = {}
    for one in filters:
        for bet in find_bets(database_url, one, rows + 1).items:
            bets.setdefault((bet.provider, bet.bet_id), bet)
    return Found(player, session, tuple(bets.values())[:rows], len(bets) > rows)
