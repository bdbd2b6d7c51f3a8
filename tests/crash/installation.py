"""An installation that may be broken: servers, gateways, workers, and a proxy between any two."""

import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
from redis import Redis
from rq.suspension import resume, suspend
from sqlmodel import Session as DbSession

from models.audit.log import operation
from models.commands import Deposit
from models.directory.provider_rules import LimitChange, set_limits
from models.directory.providers import add_provider
from models.directory.sessions import Opening, close_session, open_sessions
from models.ledger.ledger import Ledger, LedgerConnection
from models.migrate import migrate
from ops.logins import login_url, make_logins
from tests.crash.requests import CLOSED, Seat
from tests.crash.servers import POSTGRES, SERVERS, VALKEY, Servers
from tests.crash.supervised import Gateway, Supervised, Worker
from tests.service.support import keys
from tests.service.support.http import NO_TLS
from tests.service.support.processes import until
from tests.service.support.proxy import Proxy, postgres_proxy, redis_proxy, through

GATEWAYS = ("gateway-1", "gateway-2")
WORKERS = ("worker-1", "worker-2", "worker-3")
#: Every connection that can be broken: who connects, and to what.
LINKS = tuple((name, server) for name in (*GATEWAYS, *WORKERS) for server in SERVERS)
FRONTS = tuple(("client", name) for name in GATEWAYS)
_RESTART_SECONDS = (0.1, 1.0)
_PROVIDERS, _PLAYERS, _SESSIONS = 2, 8, 4
_DEPOSIT = Decimal(500)
_CURRENCY, _LIMITED = "EUR", "USD"
# What each provider pays in the limited currency: for a bet, and in a day.
_LIMITS = LimitChange(max_win={_LIMITED: Decimal(4)}, max_daily_win={_LIMITED: Decimal(30)})


class Installation:
    """Everything of a campaign that is not a client; ends with its `with` block."""

    def __init__(self, data: Path, logs: Path, chance: random.Random, without: str = "") -> None:
        """Servers on `data`; `chance` draws how long a process that ended is missing.

        `without`: a guard that all processes lack.
        """
        self._without = without
        self._ending = ExitStack()
        self._delays = random.Random(chance.random())
        self.servers = Servers(data)
        self._ending.callback(self.servers.close)
        self.urls = self.servers.urls
        self.proxies: dict[tuple[str, str], Proxy] = {}
        self.processes: dict[str, Supervised] = {}
        try:
            make_logins(self.urls.database)
            migrate(login_url(self.urls.database, "migrator"))
            self.seats = self._seats()
            for name in (*GATEWAYS, *WORKERS):
                self.processes[name] = self._process(name, logs)
            for process in self.processes.values():
                process.start()
                self._ending.callback(process.end)
            self._ending.callback(self._end_processes)
            until(self.is_ready, lambda: "the gateways are not ready", seconds=60)
        except BaseException:
            self._ending.close()
            raise

    def __enter__(self) -> "Installation":
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    @property
    def fronts(self) -> list[Path]:
        """The sockets on which clients reach each gateway."""
        return [self.proxies["client", name].socket for name in GATEWAYS]

    def is_ready(self) -> bool:
        """Whether every gateway can take requests."""
        return all(_is_ready(socket) for socket in self.fronts)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """RQ is told to suspend, and to resume; the setting outlives a crash of Valkey."""
        with Redis.from_url(self.urls.redis) as redis:
            suspend(redis)
            try:
                yield
            finally:
                resume(redis)

    def kill_everything(self) -> float:
        """SIGKILL every process and both servers, and start them on the same data; when it was."""
        for process in self.processes.values():
            process.hold()
        at = time.time()
        for process in self.processes.values():
            process.signal(signal.SIGKILL)
        for server in SERVERS:
            self.servers.kill(server)
        for server in SERVERS:
            self.servers.revive(server)
        for process in self.processes.values():
            process.release()
        return at

    def _process(self, name: str, logs: Path) -> Supervised:
        to_redis = self._proxy((name, VALKEY), redis_proxy(self.urls))
        to_postgres = self._proxy((name, POSTGRES), postgres_proxy(self.urls))
        urls = through(self.urls, redis=to_redis, postgres=to_postgres)
        if name in WORKERS:
            return Worker(name, urls, logs, self._delay, self._without)
        front = self._proxy(("client", name), Proxy(0))
        return Gateway(name, urls, logs, self._delay, self._without, front)

    def _end_processes(self) -> None:
        """End all processes at the same time."""
        with ThreadPoolExecutor(len(self.processes)) as hands:
            list(hands.map(Supervised.end, self.processes.values()))

    def _proxy(self, between: tuple[str, str], proxy: Proxy) -> Proxy:
        self.proxies[between] = self._ending.enter_context(proxy)
        return proxy

    def _delay(self) -> float:
        return self._delays.uniform(*_RESTART_SECONDS)

    def _seats(self) -> list[Seat]:
        """Players with money, each in some sessions of each provider and currency."""
        connection = LedgerConnection(
            login_url(self.urls.database, "worker"), wait_seconds=8, connect_seconds=2
        )
        seats: list[Seat] = []
        with operation(login_url(self.urls.database, "operator"), keys.AUTHOR) as database:
            for number in range(_PROVIDERS):
                provider = add_provider(database, f"provider {number}", keys.CIPHER)
                names = (provider.counterparty_id, provider.secret)
                seats += _seats_at(database, *names, _CURRENCY)
                seats += _seats_at(database, *names, _LIMITED)
                set_limits(database, provider.counterparty_id, _LIMITS)
        accounts = sorted({seat.account_id for seat in seats})
        deposits = [Deposit(a, f"deposit {a}", _DEPOSIT) for a in accounts]
        Ledger(connection, keys.JOURNAL.current).apply(deposits, lambda _: True, 5)
        connection.close()
        return seats


def _seats_at(
    database: DbSession, counterparty_id: str, secret: str, currency: str
) -> Iterator[Seat]:
    """Players in sessions of a provider. The last session of each is closed."""
    opening = Opening(
        counterparty_id=counterparty_id,
        currency=currency,
        min_bet=None,
        max_bet=None,
        lasts=timedelta(days=1),
    )
    players = [f"player {player}" for player in range(_PLAYERS)]
    rounds = [open_sessions(database, opening, players) for _ in range(_SESSIONS)]
    for opened in zip(*rounds, strict=True):
        close_session(database, opened[CLOSED].session_id)
        sessions = tuple(one.session_id for one in opened)
        account_id, limited = opened[0].account_id, currency == _LIMITED
        yield Seat(counterparty_id, secret, account_id, sessions, limited)


def _is_ready(socket: Path) -> bool:
    try:
        with httpx.Client(transport=httpx.HTTPTransport(verify=NO_TLS, uds=str(socket))) as http:
            return http.get("http://gateway/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
