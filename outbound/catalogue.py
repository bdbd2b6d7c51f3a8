"""A provider's list of games: asked for, read entry by entry, and recorded.

An entry that cannot be read is named, and the others count.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import anyio.to_thread

from models.addresses import CallPolicy, read_link
from models.commands import is_readable, read_text
from models.database.failures import unavailable
from models.database.transactions import transaction
from models.directory import games
from models.directory.games import BadGame, ListedGame, ReadCatalogue, Synced
from models.directory.launches import NO_PART
from models.directory.provider_calls import CalledProvider, called_provider
from models.errors import BetcoreError, InvalidRequest
from models.money import read_amount
from models.secret_cipher import SecretCipher
from outbound.client import Bounds, Outbound
from outbound.errors import ProviderAnsweredBadly, quoted

PATH = "/v1/games"
_NAME_MAX = 256  # characters of a name or category
#: A picture is shown by a browser, and never called by us.
_PICTURES = CallPolicy(http=True)


async def sync_games(
    outbound: Outbound,
    database_url: str,
    cipher: SecretCipher,
    counterparty_id: str,
    *,
    allow_empty: bool = False,
    every: timedelta | None = None,
) -> Synced | None:
    """Ask a provider for its games, and record what has changed, or nothing.

    With `every`, None is returned if somebody asked less than that ago. So several processes may
    run this at the same time. Raises ProviderCallFailed, NotFound, NotCallable, LedgerUnavailable,
    and what `record_games` raises.
    """

    def begin() -> tuple[CalledProvider, datetime | None]:
        with unavailable(), transaction(database_url) as database:
            provider = called_provider(database, counterparty_id, cipher, outbound.policy)
            return provider, games.begin_sync(database, provider.provider_id, every)

    provider, asked_at = await anyio.to_thread.run_sync(begin)
    if asked_at is None:
        return None

    def record(catalogue: ReadCatalogue) -> Synced:
        with unavailable(), transaction(database_url) as database:
            of = (database, provider.provider_id, asked_at, catalogue)
            return games.record_games(*of, allow_empty=allow_empty)

    def note(why: str) -> None:
        with unavailable(), transaction(database_url) as database:
            games.note_trouble(database, provider.provider_id, asked_at, why)

    try:
        catalogue = await _ask(outbound, provider)
        return await anyio.to_thread.run_sync(record, catalogue)
    except BetcoreError as error:
        await anyio.to_thread.run_sync(note, str(error))
        raise


async def _ask(outbound: Outbound, provider: CalledProvider) -> ReadCatalogue:
    settings = outbound.settings
    bounds = Bounds(settings.catalogue_within_seconds, settings.catalogue_bytes_max)
    answer = await outbound.get(provider, PATH, bounds)
    if not isinstance(answer, list):
        raise ProviderAnsweredBadly("The provider's list of games is no JSON array.")
    if len(answer) > settings.catalogue_games_max:
        raise ProviderAnsweredBadly(
            f"The provider's list has {len(answer)} games:"
            f" at most {settings.catalogue_games_max} are read."
        )
    return await anyio.to_thread.run_sync(read_catalogue, answer)


def read_catalogue(answer: list[object]) -> ReadCatalogue:
    """The games of a list, and the entries that cannot be read."""
    read: dict[str, ListedGame] = {}
    bad = []
    for number, entry in enumerate(answer, start=1):
        game_id = None
        try:
            if not isinstance(entry, dict):
                raise InvalidRequest("It is no object.")
            game_id = _game_id(entry.get("gameId"))
            if game_id in read:
                raise InvalidRequest("Another entry has this gameId already.")
            read[game_id] = _game(game_id, entry)
        except InvalidRequest as error:
            bad.append(BadGame(number, game_id, quoted(error)))
    return ReadCatalogue(list(read.values()), bad)


def _game_id(value: object) -> str:
    game_id = read_text(value, "gameId")
    if game_id in NO_PART:
        raise InvalidRequest("gameId may not be '.' or '..': no path could name it.")
    return game_id


def _game(game_id: str, entry: dict[str, object]) -> ListedGame:
    name = _shown(entry.get("name"), "name")
    if name is None:
        raise InvalidRequest("name is missing.")
    picture = entry.get("lobbyImgUrl")
    return ListedGame(
        game_id,
        name,
        _shown(entry.get("gameCategory"), "gameCategory"),
        _odd(entry.get("maxOdd")),
        None if picture in (None, "") else read_link(picture, "lobbyImgUrl", _PICTURES),
    )


def _shown(value: object, name: str) -> str | None:
    """A text for people, which may be missing."""
    if value is None or value == "":
        return None
    if type(value) is not str or len(value) > _NAME_MAX or not is_readable(value):
        raise InvalidRequest(f"{name} must be text of 1 to {_NAME_MAX} characters.")
    return value


def _odd(value: object) -> Decimal | None:
    return None if value is None else read_amount(value, "maxOdd")
