"""Lost connections and passed limits: the same batch succeeds again, and nothing is doubled."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from models.codes import Code
from models.errors import LedgerError, LedgerUnavailable
from models.ledger.ledger import Ledger, LedgerConnection
from models.outcome import Outcome
from tests.service.support import keys
from tests.service.support.ledger_world import (
    LedgerPlayer,
    balance_of,
    end_sessions,
    in_time,
    ledger_on,
    locked,
    new_players,
    recorded_rows,
    running,
    until_waiting,
    written,
)
from tests.service.support.patience import wait_for_quiet
from tests.service.support.processes import until
from tests.service.support.world import World


def test_a_connection_lost_between_load_and_commit_leaves_nothing(ledger_world: World) -> None:
    [player] = new_players(ledger_world)

    def lose(index: int) -> bool:
        return index > 0 or end_sessions(ledger_world) == 1

    with ledger_on(ledger_world) as ledger:
        with pytest.raises(LedgerUnavailable):
            ledger.apply((player.bet(1), player.deposit(2)), lose, 5)

        assert recorded_rows(ledger_world, player) == (0, 1)
        assert_works_again(ledger_world, ledger, player)


def test_a_connection_lost_while_it_waits_for_a_lock_leaves_nothing(ledger_world: World) -> None:
    [player] = new_players(ledger_world)

    with ledger_on(ledger_world) as ledger:
        with (
            locked(ledger_world, player.account_id),
            running(partial(ledger.apply, [player.bet(1)], in_time, 5)) as outcomes,
        ):
            until_waiting(ledger_world)
            assert end_sessions(ledger_world) == 1
            assert isinstance(outcomes.exception(), LedgerUnavailable)

        assert recorded_rows(ledger_world, player) == (0, 1)
        assert_works_again(ledger_world, ledger, player)


def test_after_a_loss_ids_come_from_a_new_block(ledger_world: World) -> None:
    [player] = new_players(ledger_world)

    with ledger_on(ledger_world) as ledger:
        [before] = ledger.apply([player.bet(1)], in_time, 5)
        assert end_sessions(ledger_world) == 1
        with pytest.raises(LedgerUnavailable):
            ledger.apply([player.bet(1)], in_time, 5)
        [after] = ledger.apply([player.bet(1)], in_time, 5)

        # Had the server crashed, it might have forgotten that it gave the old block out.
        assert before is not None
        assert after is not None
        assert after.ids[0] // 1000 > before.ids[0] // 1000
        assert_works_again(ledger_world, ledger, player)


def test_a_commit_whose_answer_is_lost_is_found_by_the_same_batch_again(
    ledger_world: World,
) -> None:
    [player, other] = new_players(ledger_world, "10", 2)
    batch = (player.bet(4, 1, "a"), player.deposit(5), player.bet(1000))

    # The commit waits for another transaction; we hang up; then PostgreSQL goes on and commits.
    with (
        ledger_on(ledger_world, wait_seconds=0.3) as ledger,
        written(ledger_world, other.bet(1, 0, "a")) as before,
    ):
        with pytest.raises(LedgerUnavailable):
            ledger.apply(batch, in_time, 5)
        assert recorded_rows(ledger_world, player) == (0, 1)
        before.rollback()
        until(lambda: recorded_rows(ledger_world, player) == (2, 4))

        recorded = ledger.recorded(batch)
        again = ledger.apply(batch, in_time, 5)

    assert again == recorded
    assert [outcome and outcome.code for outcome in again] == [1, 1, 4]
    assert recorded_rows(ledger_world, player) == (2, 4)
    assert balance_of(ledger_world, player) == 12


@pytest.mark.parametrize("where", ["in the wait for a lock", "between load and commit"])
def test_postgresql_itself_ends_a_transaction_that_takes_too_long(
    ledger_world: World, where: str
) -> None:
    [player] = new_players(ledger_world)
    waits = where == "in the wait for a lock"
    is_free = "select 1 from account where id = %s for update skip locked"

    def dawdle(_: int) -> bool:
        assert ledger_world.rows(is_free, player.account_id) == []
        until(lambda: ledger_world.rows(is_free, player.account_id) == [(1,)], seconds=5)
        return True

    with ledger_on(ledger_world) as ledger:
        with (
            locked(ledger_world, player.account_id) if waits else nullcontext(),
            pytest.raises(LedgerUnavailable),
        ):
            ledger.apply([player.bet(1)], in_time if waits else dawdle, 0.3)

        assert recorded_rows(ledger_world, player) == (0, 1)
        assert_works_again(ledger_world, ledger, player)


def test_the_limit_of_a_transaction_counts_from_before_the_connection_was_made(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world)
    wait_for_quiet()
    began = monotonic()

    with ledger_on(ledger_world) as ledger, locked(ledger_world, player.account_id):
        with (
            busy_postmaster(ledger_world) as go_on,
            running(partial(ledger.apply, [player.bet(1)], in_time, 2)) as outcomes,
        ):
            until(lambda: monotonic() - began > 1.7)
            go_on()
            assert isinstance(outcomes.exception(), LedgerUnavailable)
        assert monotonic() - began < 3.4

    assert recorded_rows(ledger_world, player) == (0, 1)


def test_the_limit_of_one_transaction_is_not_that_of_the_next(ledger_world: World) -> None:
    [player] = new_players(ledger_world)

    with ledger_on(ledger_world) as ledger:
        began = monotonic()
        ledger.apply([player.bet(1)], in_time, 0.3)
        with (
            locked(ledger_world, player.account_id) as other,
            running(partial(ledger.apply, [player.bet(2)], in_time, 20)) as outcomes,
        ):
            until(lambda: monotonic() - began > 0.5)
            until_waiting(ledger_world)
            other.rollback()

        assert outcomes.result() == [Outcome(Code.DONE, Decimal(97), ids_of(ledger_world, player))]


def test_a_server_that_does_not_answer_is_given_up(ledger_world: World) -> None:
    [player] = new_players(ledger_world)

    with ledger_on(ledger_world, wait_seconds=0.2) as ledger:
        with locked(ledger_world, player.account_id), pytest.raises(LedgerUnavailable):
            ledger.apply([player.bet(1)], in_time, 0.6)

        assert recorded_rows(ledger_world, player) == (0, 1)
    with ledger_on(ledger_world) as ledger:
        assert_works_again(ledger_world, ledger, player)


def test_a_database_that_is_not_there_is_unavailable_and_one_without_tables_is_an_error(
    ledger_world: World,
) -> None:
    url = ledger_world.urls.database
    [player] = new_players(ledger_world)

    for name, error in (("nowhere", LedgerUnavailable), ("postgres", LedgerError)):
        elsewhere = url.replace("/betcore?", f"/{name}?", 1)
        connection = LedgerConnection(elsewhere, wait_seconds=2, connect_seconds=2)
        with pytest.raises(error):
            Ledger(connection, keys.JOURNAL.current).apply([player.bet(1)], in_time, 5)
        connection.close()

    left = "select count(*) from pg_stat_activity where datname = 'postgres'"
    until(lambda: ledger_world.rows(left)[0][0] == 0)


def assert_works_again(world: World, ledger: Ledger, player: LedgerPlayer) -> None:
    """The ledger applies a batch, once, after whatever happened to its connection."""
    bets, transfers = recorded_rows(world, player)
    batch = (player.bet(1), player.deposit(2))
    first = ledger.apply(batch, in_time, 5)
    assert [outcome and outcome.code for outcome in first] == [1, 1]
    assert [outcome and outcome.ids for outcome in ledger.apply(batch, in_time, 5)] == [
        outcome and outcome.ids for outcome in first
    ]
    assert recorded_rows(world, player) == (bets + 1, transfers + 3)
    balance_of(world, player)


def ids_of(world: World, player: LedgerPlayer) -> tuple[int, ...]:
    """The ids of the last bet's two transfers."""
    last = "select id from transfer where account = %s order by account_seq desc limit 2"
    return tuple(row[0] for row in reversed(world.rows(last, player.account_id)))


@contextmanager
def busy_postmaster(world: World) -> Iterator[Callable[[], None]]:
    """PostgreSQL as when it is overloaded: who connects waits until the given function is called.

    Connections that were made before go on.
    """
    folder = Path(world.rows("show data_directory")[0][0])
    pid = int((folder / "postmaster.pid").read_text().split()[0])
    go_on = partial(os.kill, pid, signal.SIGCONT)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield go_on
    finally:
        go_on()
