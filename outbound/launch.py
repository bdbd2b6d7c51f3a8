"""The launch of a session: the provider tells where the player's browser finds the game.

The session is committed before the call, and no transaction is open during it. So the provider may
ask for the balance, and send old refunds and pay-outs, before it answers.
"""

import logging
from urllib.parse import quote

import anyio
import anyio.to_thread

from models.addresses import read_link
from models.audit.log import TEXT_MAX, Author, operation
from models.database.failures import unavailable
from models.database.transactions import transaction
from models.directory.launches import Launch, read_launch, require_open
from models.directory.sessions import close_session
from models.errors import BetcoreError, InvalidRequest
from models.secret_cipher import SecretCipher
from outbound.client import Bounds, Outbound
from outbound.errors import ProviderAnsweredBadly

_LOG = logging.getLogger("betcore.launch")


async def launch_session(
    outbound: Outbound, database_url: str, cipher: SecretCipher, author: Author, session_id: str
) -> str:
    """The `frameUri` of a session that is committed. If there is none, the session is closed.

    The same happens if the session ends meanwhile, because it would take no bet. The audit log has
    the reason. Raises ProviderCallFailed, NotCallable, NotFound, Ended, InvalidRequest or
    LedgerUnavailable.
    """

    def read() -> Launch:
        with unavailable(), transaction(database_url) as database:
            return read_launch(database, session_id, cipher, outbound.policy)

    def look_again() -> None:
        with unavailable(), transaction(database_url) as database:
            require_open(database, session_id)

    try:
        frame = await _ask(outbound, await anyio.to_thread.run_sync(read))
        await anyio.to_thread.run_sync(look_again)
        return frame
    except BaseException as error:  # also a cancellation: nobody will ever get the frame
        why = str(error) if isinstance(error, BetcoreError) else "the launch was interrupted"
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_close, database_url, author, session_id, why)
        raise


async def _ask(outbound: Outbound, launch: Launch) -> str:
    settings = outbound.settings
    bounds = Bounds(settings.launch_within_seconds, settings.launch_bytes_max)
    path = f"/v1/games/{quote(launch.game, safe='')}/launch"
    answer = await outbound.post(launch.provider, path, launch.fields, bounds)
    if not isinstance(answer, dict):
        raise ProviderAnsweredBadly("The provider's answer to the launch is no JSON object.")
    try:
        return read_link(answer.get("frameUri"), "frameUri", outbound.policy)
    except InvalidRequest as error:
        raise ProviderAnsweredBadly(f"The provider's answer to the launch: {error}") from None


def _close(database_url: str, author: Author, session_id: str, why: str) -> None:
    """Close the session. If that fails, it is as it would be without us: open until it expires."""
    note = "".join(one if one.isprintable() else " " for one in f"launch failed: {why}")
    reasoned = Author(author.actor, author.key, note[:TEXT_MAX])
    try:
        with unavailable(), operation(database_url, reasoned) as database:
            close_session(database, session_id)
    except BetcoreError as error:
        _LOG.error("session %s could not be closed after a failed launch: %s", session_id, error)
