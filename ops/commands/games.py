"""`betcore games`: what providers offer."""

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import BetcoreError
from ops.terminal.options import AsJson, DataDir, Limit, emit_list, find_settings

if TYPE_CHECKING:
    from models.directory.games import Synced
    from models.secret_cipher import SecretCipher
    from settings import Settings

app = typer.Typer(help="Games: what providers offer.", no_args_is_help=True)

OneProvider = Annotated[
    str | None, typer.Argument(metavar="[PROVIDER]", help="Only this one, by its counterparty id.")
]
AProvider = Annotated[
    str, typer.Argument(metavar="PROVIDER", help="The provider's counterparty id.")
]
AllowEmpty = Annotated[
    bool,
    typer.Option("--allow-empty", help="Record an empty list: all games of the provider are gone."),
]
Category = Annotated[str | None, typer.Option(help="Only games of this category.")]
Gone = Annotated[bool, typer.Option("--gone", help="Also games that are not offered any more.")]
OneGame = Annotated[str | None, typer.Option("--game", help="Only of this game.")]


@app.command("sync")
def sync(
    provider: OneProvider = None,
    allow_empty: AllowEmpty = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Ask a provider for its games, or all providers that have a URL, and record what changed.

    The portal does this by itself (BETCORE_GAMES_SYNC_MINUTES). Entries that cannot be read are
    named, and the others count. The exit code is 1 if a provider's list could not be recorded.
    """
    from models.database.failures import database_failures
    from models.database.transactions import transaction
    from models.directory.games import providers_to_ask
    from ops.keys import secret_cipher

    settings, cipher = find_settings(data_dir), secret_cipher(data_dir)
    with database_failures(), transaction(settings.database_url) as database:
        providers = providers_to_ask(database, provider)
    done, troubles = asyncio.run(_sync(settings, cipher, providers, allow_empty=allow_empty))
    if provider is not None and troubles:
        raise troubles[0][1]
    emit_list({}, "providers", [_row(*one, as_json) for one in done], as_json)
    for counterparty_id, synced in done:
        for bad in synced.bad:
            where = f"entry {bad.entry} ({bad.game_id or 'no gameId'})"
            typer.echo(f"{counterparty_id}: {where} is left out: {bad.why}", err=True)
    for counterparty_id, trouble in troubles:
        typer.echo(f"{counterparty_id}: {trouble}", err=True)
    if troubles:
        raise typer.Exit(1)


@app.command("list")
def list_(
    provider: OneProvider = None,
    category: Category = None,
    gone: Gone = False,
    limit: Limit = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the games of a provider, or of all, as they were last synced."""
    from models.database.failures import database_failures
    from models.reports.games import list_games

    settings = find_settings(data_dir)
    with database_failures():
        found = list_games(settings.database_url, provider, category, gone=gone)
        rows = (
            {
                "providerId": one.provider,
                "gameId": one.game_id,
                "name": one.name,
                "category": one.category,
                "maxOdd": one.max_odd,
                "lobbyImageUrl": one.lobby_image_url,
                "firstSeenAt": one.first_seen_at,
                "lastSeenAt": one.last_seen_at,
                "goneAt": one.gone_at,
            }
            for one in islice(found, limit)
        )
        emit_list({}, "games", rows, as_json)


@app.command("history")
def history(
    provider: AProvider,
    game: OneGame = None,
    limit: Limit = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List which games of a provider were added, changed, gone or returned, newest first."""
    from models.database.failures import database_failures
    from models.reports.games import list_changes

    settings = find_settings(data_dir)
    with database_failures():
        rows = (
            {
                "createdAt": one.created_at,
                "gameId": one.game_id,
                "change": one.change,
                "name": one.name,
                "category": one.category,
                "maxOdd": one.max_odd,
                "lobbyImageUrl": one.lobby_image_url,
            }
            for one in islice(list_changes(settings.database_url, provider, game), limit)
        )
        emit_list({}, "changes", rows, as_json)


_Done = list[tuple[str, "Synced"]]
_Troubles = list[tuple[str, BetcoreError]]


async def _sync(
    settings: "Settings", cipher: "SecretCipher", providers: list[str], *, allow_empty: bool
) -> tuple[_Done, _Troubles]:
    """Sync one provider after the other. Those that fail do not stop the others."""
    from outbound.catalogue import sync_games
    from outbound.client import Outbound

    outbound = Outbound(settings)
    done: _Done = []
    troubles: _Troubles = []
    for one in providers:
        of = (outbound, settings.database_url, cipher, one)
        try:
            synced = await sync_games(*of, allow_empty=allow_empty)
        except BetcoreError as error:
            troubles.append((one, error))
        else:
            if synced is not None:
                done.append((one, synced))
    return done, troubles


def _row(counterparty_id: str, synced: "Synced", as_json: bool) -> dict[str, object]:
    """What changed: the ids of games as JSON, and their numbers for people."""
    row: dict[str, object] = {"providerId": counterparty_id, "games": synced.games}
    for change in ("added", "changed", "gone", "returned"):
        ids = list(getattr(synced, change))
        row[change] = ids if as_json else len(ids)
    bad = [{"entry": one.entry, "gameId": one.game_id, "why": one.why} for one in synced.bad]
    return row | {"bad": bad if as_json else len(bad)}
