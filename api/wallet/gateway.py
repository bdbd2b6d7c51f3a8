"""All that the handlers of one gateway process share."""

import asyncio

from api.wallet.answer_log import keep_summing_up
from api.wallet.auth import Authenticator
from api.wallet.dispatch import Dispatcher
from api.wallet.load_shedding import LoadShedder
from api.wallet.questions import Questions
from api.wallet.sessions import Sessions
from broker.link import Link
from models.deadline import Deadline
from models.ledger.ledger import Ledger, LedgerConnection
from models.ledger.lookup import Lookup
from settings import Settings


class Gateway:
    """The parts of a gateway, made together, started and stopped together."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.load_shedder = LoadShedder(settings)
        self._tasks: list[asyncio.Task[None]] = []
        self.link = Link(settings, self.load_shedder.note)
        self.authenticator = Authenticator(settings, self._lookup())
        self.sessions = Sessions(settings, self._lookup())
        self._ledger_connection = LedgerConnection(
            settings.database_url,
            wait_seconds=settings.ask_primary_within_seconds,
            connect_seconds=settings.connect_timeout_seconds,
        )
        ledger = Ledger(self._ledger_connection)
        goes_ahead = self.load_shedder.goes_ahead
        self.dispatcher = Dispatcher(settings, self.link, ledger, goes_ahead)
        replica = self._lookup(settings.database_read_url)
        self.questions = Questions(settings, self.link, self._lookup(), replica)

    async def start(self) -> None:
        """Begin to connect; what cannot be reached is tried again for as long as it takes."""
        await self.link.start()
        await self.authenticator.start()
        keepers = (self.load_shedder.watch(), keep_summing_up())
        self._tasks = [asyncio.create_task(keeper) for keeper in keepers]

    async def stop(self) -> None:
        """Stop every part."""
        for task in self._tasks:
            task.cancel()
        parts = (
            *(self.authenticator, self.sessions, self.dispatcher, self.questions),
            self.link,
        )
        for part in parts:
            await part.stop()
        self._ledger_connection.close()

    @property
    def trouble(self) -> str:
        """Why no request can be authenticated and admitted now, in one line; "" when it can."""
        parts = (self.authenticator, self.link)
        return next((part.trouble for part in parts if part.trouble), "")

    @property
    def warnings(self) -> list[str]:
        """What should be changed, a line each, though requests are admitted."""
        return [*self.link.warnings, *self.authenticator.warnings]

    @property
    def ready(self) -> bool:
        """Whether a request could be authenticated and admitted now."""
        return not self.trouble

    def new_deadline(self) -> Deadline:
        """Until when a request that has just come may wait for a look-up or a worker.

        After it there is time to ask the primary what is recorded.
        """
        settings = self.settings
        return Deadline.within(settings.answer_within_seconds - settings.ask_primary_within_seconds)

    def _lookup(self, replica_url: str = "") -> Lookup:
        return Lookup(
            replica_url or self.settings.database_url,
            may_be_replica=bool(replica_url),
            connect_seconds=self.settings.connect_timeout_seconds,
            answer_seconds=self.settings.directory_max_age_seconds,
        )
