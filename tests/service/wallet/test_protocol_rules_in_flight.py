"""PROTOCOL.md on questions while something is under way: none waits, and `in_flight` is true."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from broker.keys import flight_key
from tests.service.support.breakable import locked
from tests.service.support.processes import until
from tests.service.support.world import Seat, World
from tests.service.wallet.hurried_world import no_worker, patient, wait_for_lane, wait_for_state

BEYOND_ALL_GRACE_MS = 2_500  # after a job's deadline


@pytest.fixture
def seat(hurried_world: World) -> Seat:
    """A player at the gateway that gives up soon."""
    return hurried_world.seat(hurried_world.provider())


@pytest.mark.parametrize("suspended", [False, True], ids=["no worker", "suspended"])
def test_balance_and_status_never_wait_for_a_lane(
    hurried_world: World, seat: Seat, suspended: bool
) -> None:
    world = hurried_world
    patient(world, seat).call("pay-in", "recorded", betAmount=1)
    with ThreadPoolExecutor(1) as threads, no_worker(world):
        waits = threads.submit(seat.call, "pay-in", "waits", betAmount=1)
        wait_for_lane(world, seat, 1)
        if suspended:
            world.redis.set("rq:suspended", 1)
        try:
            # Nothing in the lane will ever move, so what is answered has not waited for it.
            assert seat.balance().body["balance"] == 999
            assert seat.client.status("recorded").body["state"] == "open"
            assert seat.client.status("waits").body["state"] == "in_flight"
            assert seat.client.status("never was").body["state"] == "unknown"
            refused = seat.call("pay-in", "later", betAmount=1) if suspended else None
            assert refused is None or (refused.status, refused.code) == (503, 99)
        finally:
            world.redis.delete("rq:suspended")
        assert (waits.result().status, waits.result().code) == (504, 0)


def test_a_bet_is_in_flight_while_admitted_and_unknown_once_its_deadline_has_passed(
    hurried_world: World, seat: Seat
) -> None:
    with no_worker(hurried_world):
        assert seat.call("pay-in", "a", betAmount=1).code == 0

        status = seat.client.status("a")
        assert status.body.pop("betId") == "a"
        assert status.body.pop("state") == "in_flight"
        assert status.body.pop("_responseCode") == 1
        assert set(status.body.values()) == {None}
        wait_for_state(seat, "a", "in_flight", "unknown")

    # A repeat starts afresh.
    assert patient(hurried_world, seat).call("pay-in", "a", betAmount=2).code == 1


def test_what_is_recorded_of_a_bet_is_not_said_while_a_later_call_about_it_is_in_flight(
    hurried_world: World, seat: Seat
) -> None:
    patient(hurried_world, seat).call("pay-in", "a", betAmount=1)
    with no_worker(hurried_world):
        assert seat.call("pay-out", "a", winAmount=5).code == 0

        wait_for_state(seat, "a", "in_flight", "open")

    assert patient(hurried_world, seat).call("pay-out", "a", winAmount=6).code == 1


def test_every_bet_is_in_flight_in_the_seconds_after_redis_was_lost(
    hurried_world: World, seat: Seat
) -> None:
    patient(hurried_world, seat).call("pay-in", "recorded", betAmount=1)

    hurried_world.redis.flushall()

    # The first question finds that Redis remembers nothing, and is refused like every other call.
    first = seat.client.status("a")
    assert (first.status, first.code) == (503, 99)
    assert seat.client.status("recorded").body["state"] == "in_flight"
    wait_for_state(seat, "a", "in_flight", "unknown")
    assert seat.client.status("recorded").body["state"] == "open"


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_job_that_was_taken_stays_in_flight_until_its_accounts_row_was_locked_since(
    hurried_world: World, seat: Seat, how: signal.Signals
) -> None:
    world = hurried_world
    worker = world.workers[-1]
    try:
        with locked(world, seat.account_id):
            with ThreadPoolExecutor(1) as threads:
                asked = threads.submit(seat.call, "pay-in", "a", betAmount=1)
                until(lambda: _waiting_for_a_lock(world) == 1)
                worker.signal(how)
                assert asked.result().code == 0
            if how is signal.SIGKILL:
                worker.wait()
                world.worker()  # it finds the job late, and cannot know how far the other was
                wait_for_lane(world, seat, 0)
            until(lambda: _milliseconds_late(world, seat, "a") > BEYOND_ALL_GRACE_MS)
            for _ in range(3):
                assert seat.client.status("a").body["state"] == "in_flight"
    finally:
        worker.signal(signal.SIGCONT)

    until(lambda: seat.client.status("a").body["state"] == "unknown")
    assert world.balance(seat) == 1000
    assert not world.redis.exists(_flight(world, seat, "a"))  # it was found out once for all


def test_a_commit_that_is_under_way_keeps_its_bet_in_flight_and_then_it_is_there(
    hurried_world: World, seat: Seat
) -> None:
    free = hurried_world.seat(seat.client, "0").account_id
    with _no_commit_ends(hurried_world):
        assert seat.call("pay-in", "a", betAmount=1).code == 0
        until(lambda: _milliseconds_late(hurried_world, seat, "a") > BEYOND_ALL_GRACE_MS)
        assert seat.client.status("a").body["state"] == "in_flight"
        assert seat.call("pay-in", "a", betAmount=1).code == 0
        # Nothing is in flight of another bet, but what a primary without its standby reads may be
        # neither all nor the last word.
        hurried_world.redis.zadd(_flight(hurried_world, seat, "b"), {f"{free}-0": 1})
        assert seat.client.status("b").code == 99

    until(lambda: seat.client.status("a").body["state"] == "open")
    again = patient(hurried_world, seat).call("pay-in", "a", betAmount=1)
    assert (again.code, again.body["balance"]) == (1, 999)


def test_a_bet_that_was_repeated_any_number_of_times_can_be_asked_about(
    hurried_world: World, seat: Seat
) -> None:
    world, jobs = hurried_world, [f"{seat.account_id}-{number:032x}" for number in range(9_000)]
    later = int(time.time() * 1000) + 60_000

    world.redis.zadd(_flight(world, seat, "a"), dict.fromkeys(jobs, later))
    assert seat.client.status("a").body["state"] == "in_flight"
    world.redis.zadd(_flight(world, seat, "a"), dict.fromkeys(jobs, later - 120_000))
    assert seat.client.status("a").body["state"] == "unknown"

    until(lambda: not world.redis.exists(_flight(world, seat, "a")))


def _flight(world: World, seat: Seat, bet_id: str) -> str:
    return flight_key(world.provider_row(seat.client), bet_id)


def _milliseconds_late(world: World, seat: Seat, bet_id: str) -> float:
    """How long ago the deadline of the last job about a bet was."""
    [(_, deadline)] = world.redis.zrange(_flight(world, seat, bet_id), -1, -1, withscores=True)
    return time.time() * 1000 - float(deadline)


def _waiting_for_a_lock(world: World) -> int:
    """How many sessions of PostgreSQL wait for a lock."""
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    return int(world.rows(waiting)[0][0])


@contextmanager
def _no_commit_ends(world: World) -> Iterator[None]:
    """No commit is acknowledged, because there is no standby to confirm it; until the end."""
    with psycopg.connect(world.urls.database, autocommit=True) as operator:
        operator.execute("set synchronous_commit = local")
        _standby(operator, "nobody")
        try:
            yield
        finally:
            _standby(operator, "")


def _standby(operator: psycopg.Connection, name: str) -> None:
    operator.execute(f"alter system set synchronous_standby_names = '{name}'")
    operator.execute("select pg_reload_conf()")
    until(
        lambda: operator.execute("show synchronous_standby_names").fetchone() == (name,),
        lambda: "the setting was not read",
    )
