"""Two ledgers at once: nothing is done twice, no deadlock occurs, the guard holds."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from functools import partial
from itertools import chain

import pytest

from models.codes import Code
from models.commands import Command, PayInOut
from models.errors import BetTaken, LedgerContention
from models.ledger.ledger import Ledger, LedgerConnection
from models.ledger.state import Account, Kind, State
from models.ledger.write import writes
from models.outcome import Outcome
from tests.service.support.ledger_world import (
    LedgerPlayer,
    balance_of,
    in_time,
    ledger_on,
    locked,
    new_players,
    recorded_rows,
    running,
    until_waiting,
    written,
)
from tests.service.support.world import World


@pytest.fixture
def ledgers(ledger_world: World) -> Iterator[tuple[Ledger, Ledger]]:
    """Two ledgers on one database, as two workers have them."""
    with ledger_on(ledger_world) as one, ledger_on(ledger_world) as two:
        yield one, two


def test_one_bet_from_two_connections_at_once_is_taken_once_and_both_get_its_ids(
    ledger_world: World, ledgers: tuple[Ledger, Ledger]
) -> None:
    [player] = new_players(ledger_world, "10")
    bet = player.bet(4, 1)

    with (
        locked(ledger_world, player.account_id) as other,
        running(applying(ledgers[0], bet)) as first,
        running(applying(ledgers[1], bet)) as second,
    ):
        until_waiting(ledger_world, 2)
        other.rollback()

    assert first.result() == second.result()
    assert first.result() == ledger_world.ledger.recorded([bet])
    assert balance_of(ledger_world, player) == 7
    assert recorded_rows(ledger_world, player) == (1, 3)


def test_one_bet_id_of_two_players_at_once_is_the_first_ones_and_the_other_is_told_so(
    ledger_world: World,
) -> None:
    [player, other] = new_players(ledger_world, "10", 2)
    mine, theirs = player.bet(4, 1, "same"), other.bet(4, 1, "same")

    with ledger_on(ledger_world) as ledger, written(ledger_world, mine) as winner:
        with running(applying(ledger, theirs, other.bet(1))) as outcomes:
            until_waiting(ledger_world)
            winner.commit()

        with pytest.raises(BetTaken):
            outcomes.result()
        assert recorded_rows(ledger_world, other) == (0, 1)
        again = ledger.apply([theirs, mine], in_time, 5)
    assert again[0] == Outcome(Code.BET_CONFLICT, Decimal(10))
    assert again[1:] == ledger_world.ledger.recorded([mine])
    assert balance_of(ledger_world, player) == 7
    assert recorded_rows(ledger_world, player) == (1, 3)


def test_one_reference_for_two_players_at_once_is_paid_once(ledger_world: World) -> None:
    [player, other] = new_players(ledger_world, "0", 2)
    mine, theirs = player.deposit(5, "shared"), other.deposit(5, "shared")

    with ledger_on(ledger_world) as ledger, written(ledger_world, mine) as winner:
        with running(applying(ledger, theirs)) as outcomes:
            until_waiting(ledger_world)
            winner.commit()

        with pytest.raises(BetTaken):
            outcomes.result()
        assert ledger.apply([theirs], in_time, 5) == [Outcome(Code.BET_CONFLICT, Decimal(0))]
        assert ledger.apply([mine], in_time, 5) == ledger.recorded([mine])
    assert balance_of(ledger_world, other) == 0
    assert balance_of(ledger_world, player) == 5


def test_accounts_are_locked_in_the_order_of_their_ids_so_that_no_circle_can_form(
    ledger_world: World, ledgers: tuple[Ledger, Ledger]
) -> None:
    [low, high] = new_players(ledger_world, "10", 2)
    assert low.account_id < high.account_id
    free = "select 1 from account where id = %s for update nowait"

    with (
        locked(ledger_world, low.account_id) as other,
        running(applying(ledgers[0], high.bet(1), low.bet(1))) as first,
        running(applying(ledgers[1], low.bet(1), high.bet(1))) as second,
    ):
        until_waiting(ledger_world, 2)
        # Who waits for the first account holds no other yet.
        assert ledger_world.rows(free, high.account_id) == [(1,)]
        other.rollback()

    assert [outcome and outcome.code for outcome in first.result() + second.result()] == [1] * 4
    assert balance_of(ledger_world, low) == balance_of(ledger_world, high) == 8


@pytest.mark.parametrize("what", ["bets", "deposits"])
def test_rows_are_inserted_in_one_order_so_that_no_circle_can_form(
    ledger_world: World, ledgers: tuple[Ledger, Ledger], what: str
) -> None:
    [player, other, third] = new_players(ledger_world, "10", 3)

    def make(maker: LedgerPlayer, name: str) -> Command:
        return maker.bet(1, 0, name) if what == "bets" else maker.deposit(1, f"in order {name}")

    one_way, other_way = (
        [make(player, name) for name in "amb"],
        [make(other, name) for name in "ba"],
    )
    with (
        written(ledger_world, make(third, "m")) as before,
        running(applying(ledgers[0], *one_way)) as first,
    ):
        until_waiting(ledger_world)
        with running(applying(ledgers[1], *other_way)) as second:
            until_waiting(ledger_world, 2)
            before.rollback()

    assert [outcome and outcome.code for outcome in first.result()] == [1, 1, 1]
    assert isinstance(second.exception(), BetTaken)
    assert balance_of(ledger_world, other) == 10
    assert recorded_rows(ledger_world, other) == (0, 1)


@pytest.mark.parametrize("seed", range(3))
def test_many_batches_from_many_connections_leave_every_chain_whole(
    ledger_world: World, seed: int
) -> None:
    rng = random.Random(seed)
    players = new_players(ledger_world, "30", 4)
    bets = [rng.choice(players).bet(rng.randrange(12), rng.randrange(9)) for _ in range(60)]
    batches = [rng.sample(bets, 16) for _ in range(24)]

    def play(mine: Sequence[list[PayInOut]]) -> list[tuple[PayInOut, Outcome | None]]:
        with ledger_on(ledger_world) as ledger:
            answers = [(batch, ledger.apply(batch, in_time, 5)) for batch in mine]
        return [pair for answer in answers for pair in zip(*answer, strict=True)]

    with ThreadPoolExecutor(4) as threads:
        played = threads.map(play, [batches[start::4] for start in range(4)])

    said: dict[PayInOut, set[tuple[int, tuple[int, ...]]]] = {}
    for bet, outcome in chain.from_iterable(played):
        assert outcome is not None
        said.setdefault(bet, set()).add((outcome.code, outcome.ids))
    assert all(len(answers) == 1 for answers in said.values())
    won = {
        bet: (bet.win or 0) - (bet.stake or 0)
        for bet, answers in said.items()
        if answers.pop()[0] == 1
    }
    for player in players:
        own = sum(gain for bet, gain in won.items() if bet.account_id == player.account_id)
        assert balance_of(ledger_world, player) == 30 + own


@pytest.mark.parametrize(("ahead", "error"), [(5, LedgerContention), (-1, BetTaken)])
def test_an_account_that_changed_behind_the_lock_stops_the_whole_commit(
    ledger_world: World, ahead: int, error: type[Exception]
) -> None:
    [player, honest] = new_players(ledger_world, "10", 2)
    ids = iter(range(10**12 + ahead * 10, 10**12 + ahead * 10 + 9))
    state = State(
        ids, {s.account_id: Account(s.account_id, Decimal(10), 1) for s in (player, honest)}
    )
    state.accounts[player.account_id] = Account(player.account_id, Decimal(10), 1 + ahead)
    for account in state.accounts.values():
        state.move(Kind.DEPOSIT, account, 1, Decimal(5), reference=f"guard {ahead} {account.id}")
    connection = LedgerConnection(ledger_world.urls.database, wait_seconds=5, connect_seconds=2)

    with closing(connection), pytest.raises(error), connection.transaction(5) as transaction:
        transaction.commit(*writes(state))

    assert balance_of(ledger_world, player) == balance_of(ledger_world, honest) == 10
    assert recorded_rows(ledger_world, honest) == (0, 1)


def applying(ledger: Ledger, *commands: Command) -> Callable[[], list[Outcome | None]]:
    """A function that applies a batch later."""
    return partial(ledger.apply, commands, in_time, 5)
