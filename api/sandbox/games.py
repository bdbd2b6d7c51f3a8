"""The games of a provider of the sandbox: where we call it, its list, and a launch."""

from starlette.concurrency import run_in_threadpool

from api.sandbox import forms
from api.sandbox.call import Call
from api.shared.forms import Nothing
from api.shared.games import ProviderUrl, SyncedGames
from models.directory.launches import is_launched
from models.directory.provider_calls import set_url
from outbound.catalogue import sync_games
from outbound.launch import launch_session


def put_url(call: Call, form: forms.SetUrl) -> ProviderUrl:
    """Call the provider at this URL from now on, or nowhere."""
    with call.changing(None) as database:
        of = (call.provider_id, form.url, call.services.outbound.policy)
        return ProviderUrl(url=set_url(database, *of))


async def sync(call: Call, form: Nothing) -> SyncedGames:  # noqa: ARG001
    """Ask the provider for its games, and record what has changed."""
    services = call.services
    of = (services.outbound, call.database_url, services.cipher, call.provider_id)
    return SyncedGames.model_validate(await sync_games(*of))


async def launch(call: Call, session_id: str, game: str | None) -> str | None:
    """The `frameUri` of a session that was just opened. None: there is no game or no URL.

    If the launch fails, the session is closed. Raises what `launch_session` raises.
    """

    def is_wanted() -> bool:
        with call.reading() as database:
            return is_launched(database, call.provider_id, game)

    if not await run_in_threadpool(is_wanted):
        return None
    services = call.services
    of = (services.outbound, call.database_url, services.cipher, call.author(None), session_id)
    return await launch_session(*of)
