"""The games of providers, as operators see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from models.database.transactions import transaction
from models.directory.providers import find_provider
from models.reports.paging import Listing

_GAMES = text("""
    select provider.counterparty_id, g.game_id, g.name, g.category, g.max_odd, g.lobby_image_url,
           g.first_seen_at, g.last_seen_at, g.gone_at, g.provider_id
    from game g join provider on provider.id = g.provider_id
    where (cast(:provider as text) is null or provider.counterparty_id = :provider)
      and (cast(:category as text) is null or g.category = :category)
      and (:gone or g.gone_at is null)
      and (g.provider_id, g.game_id) > (:after, :after_game)
    order by g.provider_id, g.game_id limit :rows
""")

_CHANGES = text("""
    select provider.counterparty_id, c.game_id, c.change, c.name, c.category, c.max_odd,
           c.lobby_image_url, c.created_at, c.id
    from game_change c join provider on provider.id = c.provider_id
    where provider.counterparty_id = :provider
      and (cast(:game as text) is null or c.game_id = :game) and c.id < :before
    order by c.id desc limit :rows
""")


@dataclass(frozen=True, slots=True)
class ShownGame:
    """A game. `gone_at` is None while its provider's list has it."""

    provider: str  # its `X-Counterparty-Id`
    game_id: str
    name: str
    category: str | None
    max_odd: Decimal | None
    lobby_image_url: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    gone_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShownChange:
    """What happened to a game: added, changed, gone or returned, and what the list then said."""

    provider: str
    game_id: str
    change: str
    name: str
    category: str | None
    max_odd: Decimal | None
    lobby_image_url: str | None
    created_at: datetime


def list_games(
    database_url: str,
    counterparty_id: str | None = None,
    category: str | None = None,
    *,
    gone: bool = False,
) -> Listing[ShownGame]:
    """Games of one provider or all, of one category or all. `gone`: also those not offered now.

    Raises NotFound.
    """
    _require_provider(database_url, counterparty_id)
    first = {"provider": counterparty_id, "category": category, "gone": gone}
    return Listing(
        database_url,
        _GAMES,
        first | {"after": 0, "after_game": ""},
        lambda row: {"after": row.provider_id, "after_game": row.game_id},
        _game,
    )


def list_changes(
    database_url: str, counterparty_id: str, game_id: str | None = None
) -> Listing[ShownChange]:
    """What happened to the games of a provider, the newest first. Raises NotFound."""
    _require_provider(database_url, counterparty_id)
    return Listing(
        database_url,
        _CHANGES,
        {"provider": counterparty_id, "game": game_id, "before": 2**63 - 1},
        lambda row: {"before": row.id},
        _change,
    )


def _require_provider(database_url: str, counterparty_id: str | None) -> None:
    if counterparty_id is not None:
        with transaction(database_url) as database:
            find_provider(database, counterparty_id)


def _game(row: Sequence[Any]) -> ShownGame:
    return ShownGame(*row[:-1])


def _change(row: Sequence[Any]) -> ShownChange:
    return ShownChange(*row[:-1])
