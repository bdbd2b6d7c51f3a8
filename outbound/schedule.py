"""Asks every provider with a URL for its games, again and again.

It is a loop of the portal and no job of RQ, because our queue may run only what its table names
(docs/adr/0032). Any number of portals may run it: one of them asks.
"""

import asyncio
import logging
from datetime import timedelta

import anyio.to_thread

from models.database.failures import unavailable
from models.database.transactions import transaction
from models.directory.games import Synced, providers_to_ask
from models.errors import BetcoreError
from models.secret_cipher import SecretCipher
from outbound.catalogue import sync_games
from outbound.client import Outbound

_LOG = logging.getLogger("betcore.games")
_LOOK_EVERY_SECONDS = 60.0  # whether somebody is to be asked
_AT_ONCE = 4  # so that slow providers do not keep the others waiting


async def keep_games_synced(outbound: Outbound, database_url: str, cipher: SecretCipher) -> None:
    """Run until it is cancelled. What fails is logged, recorded, and tried again."""
    minutes = outbound.settings.games_sync_minutes
    if not minutes:
        return
    every = timedelta(minutes=minutes)
    turns = asyncio.Semaphore(_AT_ONCE)

    def providers() -> list[str]:
        with unavailable(), transaction(database_url) as database:
            return providers_to_ask(database)

    async def sync(counterparty_id: str) -> None:
        async with turns:
            try:
                of = (outbound, database_url, cipher, counterparty_id)
                synced = await sync_games(*of, every=every)
            except BetcoreError as error:
                _LOG.warning("the games of provider %s stay as they were: %s", *of[3:], error)
            else:
                if synced is not None:
                    _report(counterparty_id, synced)

    while True:
        try:
            await asyncio.gather(*map(sync, await anyio.to_thread.run_sync(providers)))
        except BetcoreError as error:
            _LOG.warning("the games of providers are not synced: %s", error)
        except Exception:  # a fault of ours, which must not end the loop
            _LOG.exception("the games of providers are not synced")
        await asyncio.sleep(min(_LOOK_EVERY_SECONDS, minutes * 60))


def _report(counterparty_id: str, synced: Synced) -> None:
    changes = (synced.added, synced.changed, synced.gone, synced.returned)
    if any(changes):
        counts = [len(ids) for ids in changes]
        text = "games of provider %s: %d added, %d changed, %d gone, %d returned"
        _LOG.info(text, counterparty_id, *counts)
    for bad in synced.bad[:3]:
        text = "games of provider %s: entry %d (%s) is left out: %s"
        _LOG.warning(text, counterparty_id, bad.entry, bad.game_id or "no gameId", bad.why)
