"""The services of one gateway of the product, made, started and stopped together."""

import asyncio

from api.wallet.answer_log import keep_summing_up
from api.wallet.auth import Authenticator
from api.wallet.dispatch import Dispatcher
from api.wallet.load_shedding import LoadShedder
from api.wallet.questions import Questions
from api.wallet.services import Services, gateway_reads_of
from api.wallet.sessions import Sessions
from broker.link import Link
from models.ledger.ledger import Ledger, LedgerConnection
from settings import Settings


class Gateway(Services):
    """Admits through the queue, and asks PostgreSQL."""

    def __init__(self, settings: Settings) -> None:
        """Make the parts. `start` connects them."""
        load_shedder = LoadShedder(settings)
        self._link = link = Link(settings, load_shedder.note)
        self._ledger_connection = LedgerConnection(
            settings.database_url,
            wait_seconds=settings.ask_primary_within_seconds,
            connect_seconds=settings.connect_timeout_seconds,
        )
        ledger = Ledger(self._ledger_connection)
        replica = gateway_reads_of(settings, settings.database_read_url)
        super().__init__(
            settings,
            load_shedder,
            Authenticator(settings, gateway_reads_of(settings)),
            Sessions(settings, gateway_reads_of(settings)),
            Dispatcher(settings, link, ledger, load_shedder.goes_ahead),
            Questions(settings, link, gateway_reads_of(settings), replica),
            needed=[link],
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to connect. A server that cannot be reached is tried again until it answers."""
        await self._link.start()
        await super().start()
        keepers = (self.load_shedder.watch(), keep_summing_up())
        self._tasks = [asyncio.create_task(keeper) for keeper in keepers]

    async def stop(self) -> None:
        """Stop every part."""
        for task in self._tasks:
            task.cancel()
        await super().stop()
        await self._link.stop()
        self._ledger_connection.close()
