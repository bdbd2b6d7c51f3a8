"""Workers and gateways end, die or freeze under load: no bet is lost, applied twice or stuck."""

import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from rq import Worker

from tests.service.support.audit import (
    assert_balances,
    assert_chains_are_whole,
    assert_nothing_left,
    assert_recorded,
    settle,
)
from tests.service.support.faults import (
    DEPOSIT,
    freeze_with_a_batch,
    locked,
    stop_inside_the_transaction,
    twelve_players,
    wake,
)
from tests.service.support.load import LONG_TIMEOUTS, Bet, Load, ask, random_bet, repeat
from tests.service.support.processes import Process, WorkerProcess, until
from tests.service.support.proxy import Fate, redis_proxy, through
from tests.service.support.queue_world import QueueWorld
from tests.service.support.world import PlayerSession, World, new_world

_CONFLICT = 7
# What a worker leaves behind is another's sooner.
BRIEF = {"BETCORE_LEASE_SECONDS": "1"}


@pytest.fixture(scope="module")
def installation() -> Iterator[World]:
    """Servers and two gateways; what one test leaves behind may trouble the next."""
    with new_world() as world:
        world.start(gateways=2)
        yield world


@pytest.fixture
def world(installation: World) -> Iterator[World]:
    """The installation, without a worker yet; those that a test starts end with it."""
    yield installation
    for worker in installation.workers:
        if worker.alive:
            worker.signal(signal.SIGCONT)
        worker.ask_to_end()
    for worker in installation.workers:
        worker.stop()
    installation.workers.clear()


@pytest.fixture
def players(world: World) -> list[PlayerSession]:
    """Players whose only bets are those of the test."""
    return twelve_players(world)


def test_sigterm_to_one_of_two_workers_under_load_strands_no_job(
    world: World, players: list[PlayerSession]
) -> None:
    world.worker()
    with load(world, players) as running:
        for _ in range(2):
            leaving = world.worker()
            running.wait_for(30, 1)
            leaving.signal(signal.SIGTERM)
            assert leaving.wait() == 0

    assert {code for bet in running.bets for code in bet.codes} == {1}
    check(world, running.bets)


def test_kill_9_of_a_worker_with_a_batch_in_hand_loses_no_bet(
    world: World, players: list[PlayerSession]
) -> None:
    world.worker(**BRIEF)
    victim = world.worker(**BRIEF)
    with load(world, players) as running:
        running.wait_for(30, 1)
        freeze_with_a_batch(world, victim)
        victim.signal(signal.SIGKILL)
        running.wait_for(60, 1)

    check(world, running.bets)


def test_after_kill_9_of_the_only_worker_a_new_one_goes_on(
    world: World, players: list[PlayerSession]
) -> None:
    only = world.worker(**BRIEF)
    with load(world, players) as running:
        running.wait_for(30, 1)
        freeze_with_a_batch(world, only)
        only.signal(signal.SIGKILL)
        running.wait_for(4, 0)
        world.worker(**BRIEF)
        running.wait_for(60, 1)

    check(world, running.bets)


def test_a_worker_that_stood_still_finds_its_batch_done_by_another(
    world: World, players: list[PlayerSession]
) -> None:
    sleeper, other = world.worker(**BRIEF), world.worker(**BRIEF)
    with load(world, players) as running:
        running.wait_for(30, 1)
        batch = freeze_with_a_batch(world, sleeper)
        until(lambda: world.redis.zscore("betcore:leases", batch) is None)
        running.wait_for(30, 1)
        sleeper.signal(signal.SIGCONT)
        until(lambda: f"batch {batch} was taken over" in sleeper.output, lambda: sleeper.output)
        running.wait_for(30, 1)

        other.signal(signal.SIGTERM)
        assert other.wait() == 0
        running.wait_for(30, 1)

    check(world, running.bets)


def test_a_worker_that_stops_inside_its_transaction_holds_the_player_no_longer_than_its_deadline(
    world: World, players: list[PlayerSession]
) -> None:
    bet = random_bet(random.Random(1), players[0])
    sleeper = stop_inside_the_transaction(world, bet)
    repeat([bet], world.gateways[1].url)
    wake(sleeper)

    check(world, [bet])


def test_a_bet_that_was_refunded_while_its_worker_stood_still_stays_refunded(
    world: World, players: list[PlayerSession]
) -> None:
    bet = random_bet(random.Random(1), players[0])
    sleeper = stop_inside_the_transaction(world, bet)
    until(lambda: bet.player.call("refund", bet.bet_id).code == 1)
    wake(sleeper)

    assert bet.player.pay_in_out(bet.stake, bet.win, betId=bet.bet_id).code == _CONFLICT
    assert_nothing_left(world)
    assert_chains_are_whole(world)
    assert world.balance(bet.player) == DEPOSIT


@pytest.mark.parametrize("lost", ["the job's id", "the batch"])
def test_what_redis_gave_a_worker_that_never_got_it_is_done_by_another(
    world: World, players: list[PlayerSession], lost: str
) -> None:
    bet = random_bet(random.Random(1), players[0])
    part = f"{bet.player.account_id}-" if lost == "the job's id" else bet.bet_id
    gone = threading.Event()

    def judge(message: bytes, from_client: bool) -> Fate:
        if from_client or part.encode() not in message:
            return Fate.PASS
        proxy.refuses = True  # or it would take the bet again, perhaps before the other worker
        gone.set()
        return Fate.SWALLOW

    with ExitStack() as ending:
        proxy = ending.enter_context(redis_proxy(world.urls))
        deaf = ending.enter_context(WorkerProcess(through(world.urls, redis=proxy), **BRIEF))
        deaf.wait_ready()
        proxy.judge = judge
        sender = ending.enter_context(ThreadPoolExecutor(1))
        answered = sender.submit(ask, bet, world.gateways[0].url)
        until(gone.is_set)
        world.worker()

        assert answered.result() in (0, 1)
        check(world, [bet])
        proxy.refuses = False


def test_a_bet_whose_worker_cannot_say_that_it_is_done_is_known_to_be_done(
    world: World, players: list[PlayerSession]
) -> None:
    bet = random_bet(random.Random(1), players[0])
    gateway = world.gateway(BETCORE_ASK_PRIMARY_WITHIN_SECONDS="2")
    with redis_proxy(world.urls) as proxy:

        def judge(message: bytes, from_client: bool) -> Fate:
            if not from_client or b"betcore:replies:" not in message:
                return Fate.PASS
            proxy.refuses = True  # or it would take the bet again, perhaps before the other worker
            return Fate.SWALLOW

        proxy.judge = judge
        with WorkerProcess(through(world.urls, redis=proxy), **BRIEF) as mute:
            mute.wait_ready()

            assert ask(bet, gateway.url) == 1
            world.worker()
            check(world, [bet])
            proxy.refuses = False


def test_a_gateway_that_is_killed_has_its_admitted_bets_applied_once(
    world: World, players: list[PlayerSession]
) -> None:
    world.worker()
    world.worker()
    dying = world.gateway(**LONG_TIMEOUTS)
    chance = random.Random(1)
    bets = [random_bet(chance, players[0]) for _ in range(6)]
    account = players[0].account_id
    queue = QueueWorld(world.urls.redis, flush=False)
    with queue, ThreadPoolExecutor(6) as senders:
        with locked(world, players[0].account_id):
            asked = [senders.submit(ask, bet, dying.url) for bet in bets]
            until(lambda: len(queue.under_way_of(account)) == len(bets))
            dying.signal(signal.SIGKILL)
            dying.wait()
            with load(world, players[1:]) as others:
                others.wait_for(30, 1)
        assert [answer.result() for answer in asked] == [None] * len(bets)
    until(lambda: queue.holder(account) is None)
    assert_recorded(world, bets)

    assert {code for bet in others.bets for code in bet.codes} == {1}
    check(world, bets + others.bets)


def test_a_planted_id_that_is_no_text_does_not_end_a_worker_that_waits_for_one(
    world: World, players: list[PlayerSession]
) -> None:
    only = world.worker()
    queue = "rq:queue:bets"

    for _ in range(3):  # it may have been sweeping, and not waiting, when the first one came
        world.redis.rpush(queue, b"\xff\xfe")
        until(lambda: not world.redis.exists(queue, f"{queue}:intermediate"), lambda: only.output)

    bet = random_bet(random.Random(1), players[0])
    assert ask(bet, world.gateways[0].url) == 1
    assert only.alive
    check(world, [bet])


def test_rqs_own_worker_pool_runs_bets(world: World, players: list[PlayerSession]) -> None:
    before = set(Worker.all_keys(world.redis))
    options = ("-n", "2", "--worker-class", "workers.worker.BatchWorker", "-u", world.urls.redis)
    with WorkerPool(world.urls, "rq.cli", "worker-pool", "bets", *options) as pool:
        until(lambda: len(set(Worker.all_keys(world.redis)) - before) == 2, lambda: pool.output)
        with load(world, players) as running:
            running.wait_for(60, 1)
        pool.signal(signal.SIGTERM)
        assert pool.wait() == 0

    assert set(Worker.all_keys(world.redis)) <= before
    assert {code for bet in running.bets for code in bet.codes} == {1}
    world.worker()
    check(world, running.bets)


class WorkerPool(Process):
    """RQ's own pool of workers, which log in as workers do."""

    _login = "worker"


def load(world: World, players: list[PlayerSession]) -> Load:
    return Load(players, [gateway.url for gateway in world.gateways if gateway.alive])


def check(world: World, bets: list[Bet]) -> None:
    """Check all that must hold at the end. `bets` are all bets of the players."""
    settle(world, bets, world.gateways[0].url)
    assert_balances(world, bets, DEPOSIT)
