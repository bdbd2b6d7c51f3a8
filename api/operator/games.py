"""Games: a provider's URL, its list of games, and their history."""

from typing import Annotated

from pydantic import Field, StrictBool

from api.operator.answers import NEXT
from api.operator.call import Call, Reply
from api.operator.forms import Change, Paged
from api.shared.answers import Amount, Answer, Moment
from api.shared.forms import Text
from api.shared.games import ProviderUrl as ProviderUrl
from api.shared.games import SyncedGames as SyncedGames
from models.addresses import URL_MAX
from models.database.failures import unavailable
from models.directory.provider_calls import set_url
from models.reports.games import list_changes, list_games
from outbound.catalogue import sync_games

_FLAGS = {"true": True, "false": False}


class SetUrl(Change):
    """Where to call the provider. Null: nowhere."""

    url: Annotated[str, Field(min_length=1, max_length=URL_MAX)] | None


class SyncGames(Change):
    """An empty list is refused while games are offered, unless it is allowed."""

    allow_empty: StrictBool = False


class ListGames(Paged):
    """Which games to list."""

    provider_id: str | None = None
    category: Text | None = None
    gone: Annotated[
        str, Field(pattern="^(true|false)$", description="true: also those not offered any more.")
    ] = "false"


class ListChanges(Paged):
    """Of which game. None: of all games of the provider."""

    game_id: Text | None = None


class GameFields(Answer):
    """What a provider says of a game."""

    provider_id: str = Field(validation_alias="provider")
    game_id: str
    name: str
    category: str | None
    max_odd: Amount | None
    lobby_image_url: str | None


class Game(GameFields):
    """A game. `goneAt` is null while the provider offers it."""

    first_seen_at: Moment
    last_seen_at: Moment
    gone_at: Moment | None


class GamePage(Answer):
    """Games by provider, in the order of their ids."""

    items: list[Game]
    next: str | None = NEXT


class GameChange(GameFields):
    """What happened to a game: it was added, changed, gone or returned."""

    change: str
    created_at: Moment


class GameChangePage(Answer):
    """What happened to games, the newest first."""

    items: list[GameChange]
    next: str | None = NEXT


def put_url(call: Call, form: SetUrl) -> Reply:
    """Call the provider at this URL from now on."""
    with call.changing(form.note) as database:
        of = (call.path["providerId"], form.url, call.services.outbound.policy)
        return Reply(ProviderUrl(url=set_url(database, *of)))


async def sync(call: Call, form: SyncGames) -> Reply:
    """Ask the provider for its games, and record what has changed."""
    synced = await sync_games(
        call.services.outbound,
        call.database_url,
        call.services.cipher,
        call.path["providerId"],
        allow_empty=form.allow_empty,
    )
    return Reply(SyncedGames.model_validate(synced))


def list_(call: Call, form: ListGames) -> Reply:
    """List games."""
    with unavailable():
        listing = list_games(
            call.database_url, form.provider_id, form.category, gone=_FLAGS[form.gone]
        )
    found = call.page(listing, form.limit, form.cursor)
    items = [Game.model_validate(one) for one in found.items]
    return Reply(GamePage(items=items, next=call.cursor(found.next)))


def list_history(call: Call, form: ListChanges) -> Reply:
    """List what happened to the games of a provider."""
    with unavailable():
        listing = list_changes(call.database_url, call.path["providerId"], form.game_id)
    found = call.page(listing, form.limit, form.cursor)
    items = [GameChange.model_validate(one) for one in found.items]
    return Reply(GameChangePage(items=items, next=call.cursor(found.next)))
