"""A whole installation for tests: real servers, gateways, workers, and players."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
from redis import Redis

from embedded import Urls, temporary_servers
from models.audit.log import operation
from models.commands import Deposit
from models.database.transactions import transaction
from models.directory.currencies import add_currency
from models.directory.providers import add_provider, find_provider
from models.directory.sessions import Opening, close_session, expire_session, open_sessions
from models.ledger.ledger import Ledger, LedgerConnection
from models.migrate import migrate
from ops.logins import login_url, make_logins
from tests.service.support import keys
from tests.service.support.client import Answer, ProviderClient
from tests.service.support.processes import GatewayProcess, WorkerProcess, until


@dataclass(frozen=True)
class PlayerSession:
    """A session of a player at a provider, with the client that plays in it."""

    client: ProviderClient
    session_id: str
    account_id: int

    def pay_in_out(self, stake: Any, win: Any = 0, **fields: Any) -> Answer:
        """Bet and win; a fresh betId unless one is given."""
        bet = {"betId": uuid.uuid4().hex, "betAmount": stake, "winAmount": win}
        return self.client.pay_in_out(self.session_id, **(bet | fields))

    def call(self, call: str, bet_id: str, **fields: Any) -> Answer:
        """One of the calls about bets, in this session."""
        return self.client.call(self.session_id, call, betId=bet_id, **fields)

    def balance(self) -> Answer:
        """The player's balance, asked."""
        return self.client.balance(self.session_id)


@dataclass
class World:
    """An installation; `gateway()` and `worker()` start processes that end with it.

    Each process, and what is done here in its place, logs in as what it is. `urls.database` is the
    superuser's: `execute` and `rows` may do anything.
    """

    urls: Urls
    processes: ExitStack = field(default_factory=ExitStack)
    gateways: list[GatewayProcess] = field(default_factory=list)
    workers: list[WorkerProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_logins(self.urls.database)
        migrate(login_url(self.urls.database, "migrator"))
        self.redis = self.processes.enter_context(Redis.from_url(self.urls.redis))
        self._connection = LedgerConnection(
            login_url(self.urls.database, "worker"), wait_seconds=8, connect_seconds=2
        )
        self.ledger = Ledger(self._connection, keys.JOURNAL.current)
        self._asking: psycopg.Connection | None = None

    @property
    def operator_url(self) -> str:
        """The database, by the operator's login."""
        return login_url(self.urls.database, "operator")

    def gateway(self, **env: str) -> GatewayProcess:
        """Start a gateway and wait until it is ready."""
        started = self.processes.enter_context(GatewayProcess(self.urls, **env))
        started.wait_ready()
        self.gateways.append(started)
        return started

    def worker(self, **env: str) -> WorkerProcess:
        """Start a worker and wait until RQ knows it."""
        started = self.processes.enter_context(WorkerProcess(self.urls, **env))
        started.wait_ready()
        self.workers.append(started)
        return started

    def start(self, gateways: int = 0, workers: int = 0, **env: str) -> None:
        """Start so many of each at the same time, all with `env`, and wait until they are ready."""
        for _ in range(gateways):
            self.gateways.append(self.processes.enter_context(GatewayProcess(self.urls, **env)))
        for _ in range(workers):
            self.workers.append(self.processes.enter_context(WorkerProcess(self.urls, **env)))
        for gateway in self.gateways:
            gateway.wait_ready()
        for worker in self.workers:
            worker.wait_ready()

    def provider(self, gateway: GatewayProcess | None = None) -> ProviderClient:
        """A new provider, calling the first gateway unless one is given."""
        with operation(self.operator_url, keys.AUTHOR) as database:
            credentials = add_provider(database, f"provider {uuid.uuid4().hex}", keys.CIPHER)
        url = (gateway or self.gateways[0]).url if gateway or self.gateways else ""
        client = ProviderClient(url, credentials.counterparty_id, credentials.secret)
        self.processes.callback(client.http.close)
        return client

    def open_session(
        self,
        client: ProviderClient,
        balance: str | Decimal = "1000",
        *,
        player: str | None = None,
        currency: str = "EUR",
        min_bet: str | None = None,
        max_bet: str | None = None,
        lasts: timedelta = timedelta(hours=4),
    ) -> PlayerSession:
        """A session of a player (a new one unless named), with that much deposited."""
        opening = Opening(
            counterparty_id=client.counterparty_id,
            currency=currency,
            min_bet=None if min_bet is None else Decimal(min_bet),
            max_bet=None if max_bet is None else Decimal(max_bet),
            lasts=lasts,
        )
        with operation(self.operator_url, keys.AUTHOR) as database:
            opened = open_sessions(database, opening, [player or uuid.uuid4().hex])[0]
        if Decimal(balance):
            deposit = Deposit(opened.account_id, uuid.uuid4().hex, Decimal(balance))
            outcome = self.ledger.apply([deposit], lambda _: True, 5)[0]
            assert outcome is not None
            assert outcome.code == 1
        return PlayerSession(client, opened.session_id, opened.account_id)

    def close_session(self, player: PlayerSession) -> None:
        """Close a session, now."""
        with operation(self.operator_url, keys.AUTHOR) as database:
            close_session(database, player.session_id)

    def expire_session(self, session_id: str) -> None:
        """Let a session's time be over, now."""
        with operation(self.operator_url, keys.AUTHOR) as database:
            expire_session(database, session_id)

    def currency(self, code: str, decimals: int) -> str:
        """A currency with that many decimals."""
        with operation(self.operator_url, keys.AUTHOR) as database:
            return add_currency(database, code, decimals).code

    def provider_row(self, client: ProviderClient) -> int:
        """The id of the provider's row."""
        with transaction(login_url(self.urls.database, "operator")) as database:
            return find_provider(database, client.counterparty_id).id or 0

    def execute(self, statement: str, *values: object) -> None:
        """Run one statement and commit."""
        self._ask(statement, values)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._ask(query, values).fetchall()

    def balance(self, player: PlayerSession) -> Decimal:
        """The balance of a player's account, from the table."""
        found = self.rows("select balance from account where id = %s", player.account_id)[0][0]
        assert isinstance(found, Decimal)
        return found

    def wait_for_memory(self) -> None:
        """Wait until Redis has remembered for so long that a bet without a trace is `unknown`."""
        client = self.provider()
        until(lambda: client.status("no such bet").body.get("state") == "unknown")

    def close(self) -> None:
        """End every process, all at the same time."""
        for process in (*self.workers, *self.gateways):
            process.ask_to_end()
        self._connection.close()
        self._hang_up()
        self.processes.close()

    def _ask(self, query: str, values: tuple[object, ...]) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run a statement on a connection that is kept; on a new one when that is lost."""
        if self._asking is not None:
            try:
                return self._asking.execute(query, values)
            except psycopg.OperationalError:  # the server has ended, perhaps long ago
                self._hang_up()
        self._asking = psycopg.connect(self.urls.database, autocommit=True, prepare_threshold=None)
        return self._asking.execute(query, values)

    def _hang_up(self) -> None:
        if self._asking is not None:
            self._asking.close()
            self._asking = None


@contextmanager
def new_world() -> Iterator[World]:
    """An installation on servers of its own, without processes yet; all end with the block."""
    with temporary_servers() as urls:
        world = World(urls)
        try:
            yield world
        finally:
            world.close()
