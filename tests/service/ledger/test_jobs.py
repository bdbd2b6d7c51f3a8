"""A worker's batch on real PostgreSQL: deadlines, races and outages fail no command."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
import pytest

from broker.ended import FinishedCommand
from tests.service.support.ledger_world import (
    STREAM,
    balance_of,
    by_id,
    end_sessions,
    ledger_on,
    locked,
    new_players,
    recorded_rows,
    run,
    running,
    taken,
    until_waiting,
    written,
)
from tests.service.support.processes import until
from tests.service.support.world import World
from workers.jobs import EXPIRED


def test_a_command_whose_deadline_has_passed_is_not_applied(ledger_world: World) -> None:
    [player] = new_players(ledger_world, "10")
    late, good = taken(player.bet(1), -0.001), taken(player.bet(2))

    with ledger_on(ledger_world) as ledger:
        ends = by_id(run(ledger, [late, good]))
        assert by_id(run(ledger, [late]))[late.id] == ends[late.id]

    assert ends[late.id] == FinishedCommand(late.id, STREAM, None, EXPIRED, expired=True)
    assert ends[good.id].result is not None
    assert balance_of(ledger_world, player) == 8
    assert recorded_rows(ledger_world, player) == (1, 3)


def test_a_command_whose_deadline_passes_in_the_wait_for_its_player_is_not_applied(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")
    late, good = taken(player.bet(1), 0.4), taken(player.bet(2), 10)

    with (
        ledger_on(ledger_world) as ledger,
        locked(ledger_world, player.account_id) as other,
        running(partial(run, ledger, [late, good])) as ends,
    ):
        until_waiting(ledger_world)
        until(lambda: late.deadline.passed)
        other.rollback()

    assert by_id(ends.result())[late.id].failure == EXPIRED
    assert by_id(ends.result())[good.id].result is not None
    assert recorded_rows(ledger_world, player) == (1, 3)


def test_a_batch_that_met_anothers_bet_is_run_again_and_told_of_it(ledger_world: World) -> None:
    [player, other] = new_players(ledger_world, "10", 2)
    commands = [taken(other.bet(1)), taken(other.bet(2, 0, "taken")), taken(other.bet(4))]

    with (
        ledger_on(ledger_world) as ledger,
        written(ledger_world, player.bet(2, 0, "taken")) as first,
        running(partial(run, ledger, commands)) as finished,
    ):
        until_waiting(ledger_world)
        first.commit()

    ends = by_id(finished.result())
    assert [(ends[one.id].result or {})["code"] for one in commands] == [1, 7, 1]
    assert balance_of(ledger_world, other) == 5


def test_a_batch_whose_connection_is_lost_is_applied_on_the_next_one(ledger_world: World) -> None:
    [player] = new_players(ledger_world, "10")
    commands = [taken(player.bet(1)) for _ in range(5)]

    with (
        ledger_on(ledger_world) as ledger,
        locked(ledger_world, player.account_id) as other,
        running(partial(run, ledger, commands)) as ends,
    ):
        until_waiting(ledger_world)
        assert end_sessions(ledger_world) == 1
        other.rollback()

    assert all(end.result is not None for end in ends.result())
    assert balance_of(ledger_world, player) == 5
    assert recorded_rows(ledger_world, player) == (5, 11)


def test_while_postgresql_is_away_commands_wait_or_expire_and_none_fails(
    own_world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    # Every complaint is to be seen, not one in a while: another test may just have had the same.
    monkeypatch.setattr(logging.getLogger("betcore.jobs"), "filters", [])
    [player] = new_players(own_world, "10")
    patient, due_soon = taken(player.bet(1), 20), taken(player.bet(2), 1)

    with (
        ledger_on(own_world) as ledger,
        away(own_world) as come_back,
        running(partial(run, ledger, [due_soon, patient])) as finished,
    ):
        until(lambda: "PostgreSQL is away, 2 commands wait" in caplog.text)
        until(lambda: "PostgreSQL is away, 1 commands wait" in caplog.text)
        come_back()

    ends = by_id(finished.result())
    expired = FinishedCommand(due_soon.id, STREAM, None, EXPIRED, expired=True, landed=False)
    assert ends[due_soon.id] == expired  # a commit may be on its way
    assert ends[patient.id].result is not None
    assert balance_of(own_world, player) == 9


def test_a_primary_that_became_a_replica_fails_no_command_and_is_left_for_the_new_one(
    own_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    [player] = new_players(own_world, "10")

    with ledger_on(own_world) as ledger:
        assert run(ledger, [taken(player.bet(1))])[0].result is not None
        become(own_world, read_only=True)
        with running(
            partial(run, ledger, [taken(player.bet(2), 20), taken(player.bet(3), 20)])
        ) as ends:
            until(lambda: caplog.text.count("PostgreSQL is away, 2 commands wait") >= 2)
            become(own_world, read_only=False)

    assert "read-only" in caplog.text
    assert all(end.result is not None for end in ends.result())
    assert balance_of(own_world, player) == 4


def test_a_migration_under_running_workers_fails_no_command(own_world: World) -> None:
    [player] = new_players(own_world, "10")

    with ledger_on(own_world) as ledger:
        assert run(ledger, [taken(player.deposit(1))])[0].result is not None
        own_world.execute("alter table transfer alter column reference type varchar")
        ends = run(ledger, [taken(player.deposit(2)), taken(player.deposit(3))])

    assert all(end.result is not None for end in ends)
    assert balance_of(own_world, player) == 16


@contextmanager
def away(world: World) -> Iterator[Callable[[], object]]:
    """A database that nobody can connect to until the given function is called."""
    url = world.urls.database.replace("/betcore?", "/postgres?", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter database betcore allow_connections false")
        come_back = partial(connection.execute, "alter database betcore allow_connections true")
        try:
            yield come_back
        finally:
            come_back()


def become(world: World, *, read_only: bool) -> None:
    """Make the server refuse writes as a replica does, or accept them. Connections stay open."""
    world.execute(f"alter system set default_transaction_read_only = {read_only}")
    world.execute("select pg_reload_conf()")
    until(lambda: world.rows("show transaction_read_only") == [("on" if read_only else "off",)])
