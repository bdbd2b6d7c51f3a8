"""Finds the account of a session id. The ledger checks the session again."""

import re
from collections.abc import MutableMapping

from cachetools import LRUCache

from api.wallet.coalesced import Coalesced, LookupFailed
from api.wallet.errors import refused, try_later
from models.codes import Code
from models.commands import Place
from models.deadline import Deadline
from models.ledger.gateway_reads import GatewayReads
from models.reason import Reason
from settings import Settings

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Sessions:
    """Remembers where each session acts, which never changes, but not whether it has ended."""

    def __init__(self, settings: Settings, reads: GatewayReads) -> None:
        self._places: MutableMapping[str, Place] = LRUCache(settings.sessions_cached_max)
        self._found: Coalesced[str, Place | None] = Coalesced(reads.places, reads.close)

    async def place(self, session_id: str, provider_id: int, deadline: Deadline) -> Place:
        """Return where this provider's session acts.

        Raises ApiError: 3 for an unknown session or another provider's, 99 if the look-up fails.
        """
        place = self._places.get(session_id)
        if place is None:
            place = await self._look_up(session_id, deadline)
        if place is None or place.provider_id != provider_id:
            raise refused(Code.SESSION_CLOSED, reason=Reason.SESSION_UNKNOWN)
        return place

    async def stop(self) -> None:
        """Stop looking up."""
        await self._found.stop()

    async def _look_up(self, session_id: str, deadline: Deadline) -> Place | None:
        if not _ID.fullmatch(session_id):
            return None
        try:
            place = await self._found.get(session_id, deadline)
        except LookupFailed:
            raise try_later("The session cannot be looked up at the moment.") from None
        if place is not None:
            self._places[session_id] = place
        return place
