"""The parts that endpoints share: the protocol of each, and those of the product."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from api.wallet.answer_log import keep_summing_up
from api.wallet.auth import Authenticator, Signed
from api.wallet.bet_query import BetQuery
from api.wallet.load_shedding import LoadShedder
from api.wallet.questions import Questions
from api.wallet.queued_commands import QueuedCommands
from api.wallet.sessions import Sessions
from broker.link import Link
from models.commands import BetCommand
from models.deadline import Deadline
from models.ledger.gateway_reads import GatewayReads
from models.ledger.ledger import Ledger, LedgerConnection
from models.outcome import Outcome
from settings import Settings


class RunsCommands(Protocol):
    """Runs commands and claims nonces, as `QueuedCommands` does through the queue."""

    async def claim_nonce(self, signed: Signed, deadline: Deadline) -> None:
        """Claim the nonce of a request that applies nothing. Raises ApiError."""

    async def run(self, signed: Signed, command: BetCommand, deadline: Deadline) -> Outcome:
        """Claim the nonce, apply, and return the outcome with code 1. Raises ApiError otherwise."""

    async def stop(self) -> None:
        """End what still runs."""


class AnswersQuestions(Protocol):
    """Answers calls that only ask, as `Questions` does."""

    async def balance(self, account_id: int, deadline: Deadline) -> tuple[str, Decimal]:
        """Return currency and balance of a player's account. Raises ApiError."""

    async def bets(
        self, provider_id: int, query: BetQuery, deadline: Deadline
    ) -> Mapping[str, object]:
        """Return the fields of the answer about a bet, or about bets. Raises ApiError."""

    async def stop(self) -> None:
        """End what still runs."""


class Needed(Protocol):
    """A part without which no request is admitted."""

    @property
    def trouble(self) -> str:
        """The reason why it cannot be used now, in one line for operators, or ""."""

    @property
    def warnings(self) -> list[str]:
        """Problems that an operator should fix although it can be used, one line each."""


class Services:
    """The parts that the endpoints share. `GatewayServices` has those of the product."""

    def __init__(
        self,
        settings: Settings,
        load_shedder: LoadShedder,
        authenticator: Authenticator,
        sessions: Sessions,
        commands: RunsCommands,
        questions: AnswersQuestions,
        needed: Sequence[Needed] = (),
    ) -> None:
        """No request is admitted while a part of `needed` cannot be used."""
        self.settings = settings
        self.load_shedder = load_shedder
        self.authenticator = authenticator
        self.sessions = sessions
        self.commands = commands
        self.questions = questions
        self._needed = needed

    async def start(self) -> None:
        """Begin to read the secrets, and repeat it until it succeeds."""
        await self.authenticator.start()

    async def stop(self) -> None:
        """Stop every part."""
        for part in (self.authenticator, self.sessions, self.commands, self.questions):
            await part.stop()

    @property
    def trouble(self) -> str:
        """The reason why no request can be authenticated and admitted now, in one line, or ""."""
        parts = (self.authenticator, *self._needed)
        return next((part.trouble for part in parts if part.trouble), "")

    @property
    def warnings(self) -> list[str]:
        """Problems that an operator should fix although requests are admitted, one line each."""
        parts = (*self._needed, self.authenticator)
        return [line for part in parts for line in part.warnings]

    @property
    def ready(self) -> bool:
        """Whether a request could be authenticated and admitted now."""
        return not self.trouble

    def new_deadline(self) -> Deadline:
        """Return until when a new request may wait for a look-up or a worker.

        After it there is time to ask the primary what is recorded.
        """
        settings = self.settings
        return Deadline.within(settings.answer_within_seconds - settings.ask_primary_within_seconds)


class GatewayServices(Services):
    """The services of the product: they admit through the queue, and ask PostgreSQL."""

    def __init__(self, settings: Settings) -> None:
        """Make the parts. `start` connects them."""
        load_shedder = LoadShedder(settings)
        self._link = link = Link(settings, load_shedder.note)
        self._ledger_connection = LedgerConnection(
            settings.database_url,
            wait_seconds=settings.ask_primary_within_seconds,
            connect_seconds=settings.connect_timeout_seconds,
            pool="ledger",
        )
        ledger = Ledger(self._ledger_connection)
        replica = gateway_reads_of(settings, "balances", settings.database_read_url)
        super().__init__(
            settings,
            load_shedder,
            Authenticator(settings, gateway_reads_of(settings, "directory")),
            Sessions(settings, gateway_reads_of(settings, "sessions")),
            QueuedCommands(settings, link, ledger, load_shedder.goes_ahead),
            Questions(settings, link, gateway_reads_of(settings, "reads"), replica),
            needed=[link],
        )
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def link(self) -> Link:
        """The link to Redis."""
        return self._link

    @property
    def redis_ready(self) -> bool:
        """Whether requests can be admitted to Redis now. Any thread may ask."""
        return self._link.ready

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


def gateway_reads_of(settings: Settings, pool: str = "", replica_url: str = "") -> GatewayReads:
    """Make the reads of the primary, or of a replica. Each part needs its own.

    `pool` is its name in the metrics.
    """
    return GatewayReads(
        replica_url or settings.database_url,
        may_be_replica=bool(replica_url),
        connect_seconds=settings.connect_timeout_seconds,
        answer_seconds=settings.directory_max_age_seconds,
        pool=pool,
    )
