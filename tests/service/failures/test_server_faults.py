"""Redis and PostgreSQL are killed, emptied, frozen and restarted under load."""

from collections.abc import Iterator

import pytest
from rq import Worker

from tests.service.support.audit import assert_balances, settle
from tests.service.support.client import encode, pay_in_out_path
from tests.service.support.faults import DEPOSIT, FaultWorld, fault_world, twelve_players
from tests.service.support.load import Bet, Load
from tests.service.support.processes import until
from tests.service.support.world import PlayerSession


@pytest.fixture(scope="module")
def fragile() -> Iterator[FaultWorld]:
    """Two gateways and two workers, which outlive everything that happens to the servers."""
    with fault_world() as world:
        yield world


@pytest.fixture
def players(fragile: FaultWorld) -> list[PlayerSession]:
    """Players whose only bets are those of the test."""
    return twelve_players(fragile)


def test_redis_may_be_killed_and_started_again(
    fragile: FaultWorld, players: list[PlayerSession]
) -> None:
    with load(fragile, players) as running:
        running.wait_for(30, 1)
        fragile.stop_redis()
        running.wait_for(20, 0, 99)
        fragile.start_redis()
        running.wait_for(60, 1)

    check(fragile, running.bets)


def test_redis_may_lose_all_it_held_and_no_request_from_before_is_taken_again(
    fragile: FaultWorld, players: list[PlayerSession]
) -> None:
    client, path = players[0].client, pay_in_out_path(players[0].session_id)
    body = encode({"betId": "captured", "betAmount": 1, "winAmount": 0})
    headers, unused_headers = client.headers(body), client.headers(body)
    assert client.post(path, body, headers).code == 1
    with load(fragile, players[1:]) as running:
        running.wait_for(30, 1)
        fragile.stop_redis()
        running.wait_for(20, 0, 99)
        fragile.start_redis(emptied=True)
        running.wait_for(60, 1)

    for captured in (headers, unused_headers):
        answer = client.post(path, body, captured)
        assert (answer.status, answer.code) == (503, 99)
    assert fragile.balance(players[0]) == DEPOSIT - 1
    check(fragile, running.bets)


def test_redis_may_freeze_and_go_on(fragile: FaultWorld, players: list[PlayerSession]) -> None:
    with load(fragile, players) as running:
        running.wait_for(30, 1)
        with fragile.frozen_redis():
            running.wait_for(8, 0, 99)
        running.wait_for(60, 1)

    check(fragile, running.bets)


def test_postgres_may_crash_and_start_again(
    fragile: FaultWorld, players: list[PlayerSession]
) -> None:
    with load(fragile, players) as running:
        running.wait_for(30, 1)
        fragile.stop_postgres()
        running.wait_for(20, 0, 99)
        fragile.start_postgres()
        running.wait_for(60, 1)

    check(fragile, running.bets)


def test_postgres_may_freeze_and_go_on(fragile: FaultWorld, players: list[PlayerSession]) -> None:
    with load(fragile, players) as running:
        running.wait_for(30, 1)
        with fragile.frozen_postgres():
            running.wait_for(8, 0, 99)
        running.wait_for(60, 1)

    check(fragile, running.bets)


def test_both_servers_may_crash_at_once(fragile: FaultWorld, players: list[PlayerSession]) -> None:
    with load(fragile, players) as running:
        running.wait_for(30, 1)
        fragile.stop_postgres()
        fragile.stop_redis()
        running.wait_for(20, 0, 99)
        fragile.start_redis()
        fragile.start_postgres()
        running.wait_for(60, 1)

    check(fragile, running.bets)


def load(world: FaultWorld, players: list[PlayerSession]) -> Load:
    return Load(players, [gateway.url for gateway in world.gateways])


def check(world: FaultWorld, bets: list[Bet]) -> None:
    """Check all that must hold at the end, with the same processes. `bets` are all bets."""
    assert all(process.alive for process in (*world.gateways, *world.workers))
    settle(world, bets, world.gateways[0].url)
    assert_balances(world, bets, DEPOSIT)
    until(lambda: Worker.count(world.redis) == len(world.workers))
