"""Messages between processes and servers are lost or late: no wrong answer, nobody stuck."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal

import pytest

from embedded import Urls
from tests.service.support.audit import assert_balances, settle
from tests.service.support.faults import (
    DEPOSIT,
    FaultWorld,
    fault_world,
    frozen,
    twelve_players,
)
from tests.service.support.load import LONG_TIMEOUTS, Bet, Load, ask
from tests.service.support.processes import GatewayProcess, WorkerProcess, until
from tests.service.support.proxy import (
    Fate,
    Judge,
    Proxy,
    let_pass,
    postgres_proxy,
    redis_proxy,
    through,
)
from tests.service.support.world import PlayerSession

# A message, each way: a round trip takes twice as long.
_SLOW_SECONDS = 0.1


@pytest.fixture(scope="module")
def installation() -> Iterator[FaultWorld]:
    """Two gateways and two workers, whose connections to the servers work."""
    with fault_world() as world:
        yield world


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    """What a test starts, ended in reverse order."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def players(installation: FaultWorld) -> list[PlayerSession]:
    """Players whose only bets are those of the test."""
    return twelve_players(installation)


def test_a_bet_whose_reply_is_lost_is_answered_from_the_ledger(
    installation: FaultWorld, players: list[PlayerSession], ending: ExitStack
) -> None:
    proxy = ending.enter_context(redis_proxy(installation.urls))
    # It asks after 1.5 s, and has as long again for that.
    times = {"BETCORE_ANSWER_WITHIN_SECONDS": "3", "BETCORE_ASK_PRIMARY_WITHIN_SECONDS": "1.5"}
    deaf = gateway(ending, through(installation.urls, redis=proxy), **times)
    proxy.judge = lose_replies
    with Load(players, [deaf.url]) as running:
        running.wait_for(8, 1)

    assert {code for bet in running.bets for code in bet.codes} == {1}
    check(installation, running.bets)


@pytest.mark.parametrize("fate", [Fate.DROP, Fate.CUT])
def test_an_admission_that_gets_lost_or_whose_answer_does_is_made_once(
    installation: FaultWorld, players: list[PlayerSession], ending: ExitStack, fate: Fate
) -> None:
    bet = Bet(players[0], Decimal(3), Decimal(1))
    proxy = ending.enter_context(redis_proxy(installation.urls))
    # It would not ask the primary before our patience ends.
    cut_off = gateway(ending, through(installation.urls, redis=proxy), **LONG_TIMEOUTS)
    answered = send(ending, bet, cut_off, proxy, fate)
    if fate is Fate.CUT:
        until(lambda: installation.balance(bet.player) == DEPOSIT + bet.change)
    proxy.refuses = False

    assert answered.result() == 1
    check(installation, [bet])


def test_a_bet_admitted_by_a_redis_that_then_lost_it_is_never_said_to_be_refused(
    installation: FaultWorld, players: list[PlayerSession], ending: ExitStack
) -> None:
    bet = Bet(players[0], Decimal(3), Decimal(1))
    proxy = ending.enter_context(redis_proxy(installation.urls))
    cut_off = gateway(ending, through(installation.urls, redis=proxy))
    answered = send(ending, bet, cut_off, proxy, Fate.CUT)
    until(lambda: installation.balance(bet.player) == DEPOSIT + bet.change)
    installation.stop_redis()
    installation.start_redis(emptied=True)
    proxy.refuses = False

    assert answered.result() in (0, 1)
    check(installation, [bet])


def test_a_gateway_outlives_a_connection_to_postgres_that_falls_silent(
    installation: FaultWorld, players: list[PlayerSession], ending: ExitStack
) -> None:
    proxy = ending.enter_context(postgres_proxy(installation.urls))
    cut_off = gateway(ending, through(installation.urls, postgres=proxy))
    with Load(players, [cut_off.url]) as running:
        running.wait_for(20, 1)
        proxy.judge = swallow
        running.wait_for(1, 99)
        proxy.judge = let_pass  # for new connections: those that are open stay silent
        running.wait_for(20, 1)

    check(installation, running.bets)


@pytest.mark.parametrize("silent_from", [b"lock_accounts", b"plan_cache_mode"])
def test_a_worker_outlives_a_connection_to_postgres_that_falls_silent(
    installation: FaultWorld, players: list[PlayerSession], ending: ExitStack, silent_from: bytes
) -> None:
    """Silent from its first batch on, or already while it prepares its connection."""
    proxy = ending.enter_context(postgres_proxy(installation.urls))
    silent = threading.Event()
    proxy.judge = swallow_once(silent_from, silent)
    urls = through(installation.urls, postgres=proxy)
    with frozen(*(worker.pid for worker in installation.workers)):
        ending.enter_context(WorkerProcess(urls, BETCORE_STATEMENT_WAIT_SECONDS="3")).wait_ready()
        with load(installation, players) as running:
            until(silent.is_set)
            running.wait_for(20, 1)

    check(installation, running.bets)


def test_both_servers_may_be_slow(
    installation: FaultWorld, players: list[PlayerSession], ending: ExitStack
) -> None:
    redis = ending.enter_context(redis_proxy(installation.urls))
    postgres = ending.enter_context(postgres_proxy(installation.urls))
    urls = through(installation.urls, redis=redis, postgres=postgres)
    with frozen(*(worker.pid for worker in installation.workers)):
        ending.enter_context(WorkerProcess(urls)).wait_ready()
        far = gateway(ending, urls)
        for proxy in (redis, postgres):
            proxy.change_delay(_SLOW_SECONDS)
        with Load(players, [far.url], threads=2) as running:
            running.wait_for(2, 1)
        for proxy in (redis, postgres):
            proxy.change_delay(0)

    check(installation, running.bets)


def lose_replies(message: bytes, from_client: bool) -> Fate:
    """A Judge: no result reaches a gateway."""
    return Fate.SWALLOW if not from_client and b'"code":1' in message else Fate.PASS


def swallow(message: bytes, from_client: bool) -> Fate:  # noqa: ARG001 - a Judge
    """A Judge: every connection on which anything is sent falls silent for good."""
    return Fate.SWALLOW


def swallow_once(part: bytes, met: threading.Event) -> Judge:
    """A Judge: the first connection on which a client sends this falls silent for good."""

    def judge(message: bytes, from_client: bool) -> Fate:
        if met.is_set() or not from_client or part not in message:
            return Fate.PASS
        met.set()
        return Fate.SWALLOW

    return judge


def gateway(ending: ExitStack, urls: Urls, **env: str) -> GatewayProcess:
    started = ending.enter_context(GatewayProcess(urls, **env))
    started.wait_ready()
    return started


def send(
    ending: ExitStack, bet: Bet, gateway: GatewayProcess, proxy: Proxy, fate: Fate
) -> "Future[int | None]":
    """Send a bet and wait until this fate has met its admission; no later message meets it."""

    def judge(message: bytes, from_client: bool) -> Fate:
        if not from_client or bet.bet_id.encode() not in message:
            return Fate.PASS
        proxy.judge = let_pass
        return fate

    proxy.judge = judge
    answer = ending.enter_context(ThreadPoolExecutor(1)).submit(ask, bet, gateway.url)
    until(lambda: proxy.refuses)
    return answer


def load(world: FaultWorld, players: list[PlayerSession]) -> Load:
    return Load(players, [gateway.url for gateway in world.gateways])


def check(world: FaultWorld, bets: list[Bet]) -> None:
    """Check all that must hold at the end. `bets` are all bets of the players."""
    settle(world, bets, world.gateways[0].url)
    assert_balances(world, bets, DEPOSIT)
