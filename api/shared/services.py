"""What every room of the portal may use. It is made once per process."""

import asyncio
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from api.shared.cursors import Cursors
from broker.cash import Cashier
from broker.link import Link
from broker.orders import Orders
from models.audit.log import Author
from models.database.failures import unavailable
from models.database.transactions import ping
from models.errors import BetcoreError
from models.keys import Purpose, require_ring
from models.secret_cipher import SecretCipher
from server.callers import Callers
from settings import Settings


class PortalServices:
    """The settings, the keys, and the link to the queue. `start` it inside an event loop."""

    def __init__(self, settings: Settings) -> None:
        """Raises NoKey or BadKey without the operator key and the secrets key."""
        ring = require_ring(settings, Purpose.OPERATOR)
        self.settings = settings
        self.database_url = settings.database_url
        self.cipher = SecretCipher(require_ring(settings, Purpose.SECRETS))
        self.cursors = Cursors(ring.current)
        self._key = ring.current
        self._callers = Callers(settings.trusted_proxies)
        self._link = Link(settings)
        self.cashier = Cashier(settings, Orders(ring, settings), self._link)

    def caller(self, scope: Scope) -> str:
        """The address of who sent a request, or "unknown"."""
        return str(self._callers.address_of(scope) or "unknown")

    def is_https(self, scope: Scope) -> bool:
        """Whether a request came by HTTPS, to us or to a proxy that is trusted."""
        return self._callers.is_https(scope)

    def derive(self, label: str) -> bytes:
        """A secret of 32 bytes for one use, the same in every portal with the same operator key."""
        return self._key.derive(label)

    def author(self, who: str, address: str, note: str | None) -> Author:
        """Who answers for a change, such as `key:platform` at an address.

        Raises InvalidRequest if the note cannot be recorded.
        """
        return Author(f"{who}@{address}", self._key, note)

    def ask_redis(self, *command: str | bytes | int) -> asyncio.Future[Any]:
        """Send one command to Redis. The future raises RedisError if there is no good answer."""
        return self._link.ask(*command)

    @property
    def queue_trouble(self) -> str:
        """Why money cannot move now, in one line; "" if it can."""
        return self._link.trouble

    @property
    def redis_ready(self) -> bool:
        """Whether money can be sent to the queue now. Any thread may ask."""
        return self._link.ready

    async def trouble(self) -> str:
        """Why the portal cannot do its work now, in one line; "" if it can."""
        try:
            await run_in_threadpool(_ping, self.database_url)
        except BetcoreError as error:
            return f"PostgreSQL: {error}"
        return self.queue_trouble

    async def start(self) -> None:
        """Connect to the queue, and keep connected."""
        await self._link.start()

    async def stop(self) -> None:
        """End the connection. Whoever still waits is told what is known."""
        await self._link.stop()


def _ping(database_url: str) -> None:
    with unavailable():
        ping(database_url)
