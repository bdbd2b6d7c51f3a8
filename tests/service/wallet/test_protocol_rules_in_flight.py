"""PROTOCOL.md on questions about bets in flight: none waits, and `in_flight` is true."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from broker.keys import in_flight_field
from tests.service.support.faults import locked
from tests.service.support.processes import until
from tests.service.support.queue_world import QueueWorld
from tests.service.support.world import PlayerSession, World
from tests.service.wallet.short_timeout_world import (
    no_worker,
    patient,
    wait_for_commands,
    wait_for_state,
)

BEYOND_ALL_GRACE_MS = 2_500  # after a deadline


@pytest.fixture
def player(short_timeout_world: World) -> PlayerSession:
    """A player at the gateway that gives up soon."""
    return short_timeout_world.open_session(short_timeout_world.provider())


@pytest.mark.parametrize("suspended", [False, True], ids=["no worker", "suspended"])
def test_balance_and_status_never_wait_for_a_players_bets(
    short_timeout_world: World, player: PlayerSession, suspended: bool
) -> None:
    world = short_timeout_world
    patient(world, player).call("pay-in", "recorded", betAmount=1)
    with ThreadPoolExecutor(1) as threads, no_worker(world):
        waits = threads.submit(player.call, "pay-in", "waits", betAmount=1)
        wait_for_commands(world, player, 1)
        if suspended:
            world.redis.set("rq:suspended", 1)
        try:
            # None of the bets will ever move, so what is answered has not waited for them.
            assert player.balance().body["balance"] == 999
            assert player.client.status("recorded").body["state"] == "open"
            assert player.client.status("waits").body["state"] == "in_flight"
            assert player.client.status("never was").body["state"] == "unknown"
            refused = player.call("pay-in", "later", betAmount=1) if suspended else None
            assert refused is None or (refused.status, refused.code) == (503, 99)
        finally:
            world.redis.delete("rq:suspended")
        assert (waits.result().status, waits.result().code) == (504, 0)


def test_a_bet_is_in_flight_while_admitted_and_unknown_once_its_deadline_has_passed(
    short_timeout_world: World, player: PlayerSession
) -> None:
    with no_worker(short_timeout_world):
        assert player.call("pay-in", "a", betAmount=1).code == 0

        status = player.client.status("a")
        assert status.body.pop("betId") == "a"
        assert status.body.pop("state") == "in_flight"
        assert status.body.pop("_responseCode") == 1
        assert set(status.body.values()) == {None}
        wait_for_state(player, "a", "in_flight", "unknown")

    # A repeat starts afresh.
    assert patient(short_timeout_world, player).call("pay-in", "a", betAmount=2).code == 1


def test_what_is_recorded_of_a_bet_is_not_said_while_a_later_call_about_it_is_in_flight(
    short_timeout_world: World, player: PlayerSession
) -> None:
    patient(short_timeout_world, player).call("pay-in", "a", betAmount=1)
    with no_worker(short_timeout_world):
        assert player.call("pay-out", "a", winAmount=5).code == 0

        wait_for_state(player, "a", "in_flight", "open")

    assert patient(short_timeout_world, player).call("pay-out", "a", winAmount=6).code == 1


def test_every_bet_is_in_flight_in_the_seconds_after_redis_was_lost(
    short_timeout_world: World, player: PlayerSession
) -> None:
    patient(short_timeout_world, player).call("pay-in", "recorded", betAmount=1)

    short_timeout_world.redis.flushall()

    # The first question finds that Redis remembers nothing, and is refused like every other call.
    first = player.client.status("a")
    assert (first.status, first.code) == (503, 99)
    assert player.client.status("recorded").body["state"] == "in_flight"
    wait_for_state(player, "a", "in_flight", "unknown")
    assert player.client.status("recorded").body["state"] == "open"


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_bet_that_was_taken_stays_in_flight_until_its_accounts_row_was_locked_since(
    short_timeout_world: World, player: PlayerSession, how: signal.Signals
) -> None:
    world = short_timeout_world
    worker = world.workers[-1]
    try:
        with locked(world, player.account_id):
            with ThreadPoolExecutor(1) as threads:
                asked = threads.submit(player.call, "pay-in", "a", betAmount=1)
                until(lambda: _waiting_for_a_lock(world) == 1)
                worker.signal(how)
                assert asked.result().code == 0
            if how is signal.SIGKILL:
                worker.wait()
                world.worker()  # it finds the bet late, and cannot know how far the other was
                wait_for_commands(world, player, 0)
            until(lambda: _milliseconds_late(world, player, "a") > BEYOND_ALL_GRACE_MS)
            for _ in range(3):
                assert player.client.status("a").body["state"] == "in_flight"
    finally:
        worker.signal(signal.SIGCONT)

    until(lambda: player.client.status("a").body["state"] == "unknown")
    assert world.balance(player) == 1000
    assert not _noted(world, player, "a")  # it was found out once for all


def test_a_commit_that_is_under_way_keeps_its_bet_in_flight_and_then_it_is_there(
    short_timeout_world: World, player: PlayerSession
) -> None:
    free = short_timeout_world.open_session(player.client, "0").account_id
    with _no_commit_ends(short_timeout_world):
        assert player.call("pay-in", "a", betAmount=1).code == 0
        until(lambda: _milliseconds_late(short_timeout_world, player, "a") > BEYOND_ALL_GRACE_MS)
        assert player.client.status("a").body["state"] == "in_flight"
        assert player.call("pay-in", "a", betAmount=1).code == 0
        # Nothing is in flight of another bet, but what a primary without its standby reads may be
        # neither all nor the last word.
        _note(short_timeout_world, player, "b", f"0+1:{free}-0")
        assert player.client.status("b").code == 99

    until(lambda: player.client.status("a").body["state"] == "open")
    again = patient(short_timeout_world, player).call("pay-in", "a", betAmount=1)
    assert (again.code, again.body["balance"]) == (1, 999)


def test_a_bet_that_was_repeated_any_number_of_times_can_be_asked_about(
    short_timeout_world: World, player: PlayerSession
) -> None:
    world, now_ms = short_timeout_world, int(time.time() * 1000)
    commands = [f"{player.account_id}-{number:032x}" for number in range(9_000)]

    _note(world, player, "a", *(f"{now_ms}+60000:{command}" for command in commands))
    assert player.client.status("a").body["state"] == "in_flight"
    _note(world, player, "a", *(f"{now_ms - 120_000}+60000:{command}" for command in commands))
    assert player.client.status("a").body["state"] == "unknown"

    until(lambda: not _noted(world, player, "a"))


def test_one_bet_of_two_players_is_in_flight_until_the_last_command_about_it_has_ended(
    short_timeout_world: World, player: PlayerSession
) -> None:
    """The end of the one does not hide that the other may still be applied."""
    others = f"{player.account_id + 1}-{'f' * 32}"
    _note(short_timeout_world, player, "a", f"{int(time.time() * 1000)}+60000:{others}")

    assert patient(short_timeout_world, player).call("pay-in", "a", betAmount=1).code == 1

    until(lambda: _noted(short_timeout_world, player, "a").keys() == {others})
    assert player.client.status("a").body["state"] == "in_flight"
    _note(short_timeout_world, player, "a", f"0+1:{others}")
    assert player.client.status("a").body["state"] == "open"


def _field(world: World, player: PlayerSession, bet_id: str) -> str:
    return in_flight_field(world.provider_row(player.client), bet_id)


def _noted(world: World, player: PlayerSession, bet_id: str) -> dict[str, int]:
    """The commands about a bet that may still be applied, with their deadlines (ms)."""
    field = _field(world, player, bet_id)
    with QueueWorld(world.urls.redis, flush=False) as queue:
        return queue.notes(field) | queue.doubts(field)


def _note(world: World, player: PlayerSession, bet_id: str, *notes: str) -> None:
    """Let these be the notes about a bet."""
    world.redis.hset("betcore:in_flight", _field(world, player, bet_id), " ".join(notes))


def _milliseconds_late(world: World, player: PlayerSession, bet_id: str) -> float:
    """How long ago the deadline of the last command about a bet was."""
    return time.time() * 1000 - max(_noted(world, player, bet_id).values())


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
