"""Commands that cannot be run, or are not ours, fail alone; the others are applied."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from broker.codec import BadJob
from broker.ended import FinishedCommand
from broker.taken import TakenCommand
from models.commands import Command
from models.deadline import Deadline
from tests.service.support.ledger_world import (
    STREAM,
    LedgerPlayer,
    balance_of,
    by_id,
    ledger_on,
    new_players,
    recorded_rows,
    run,
    taken,
)
from tests.service.support.world import World
from workers.jobs import EXPIRED

# Commands that no gateway would make: what a bug or a hand in Redis may put on the queue.
POISONS: dict[str, Callable[[LedgerPlayer], Command]] = {
    "win beyond its column": lambda player: player.bet(1, Decimal(10) ** 15),
    "stake beyond its column": lambda player: player.bet(Decimal(10) ** 15),
    "win is NaN": lambda player: player.bet(1, "NaN"),
    "stake is NaN": lambda player: player.bet("NaN", 1),
    "win is infinite": lambda player: player.bet(1, "Infinity"),
    "stake is negative": lambda player: player.bet("-5"),
    "deposit is negative": lambda player: player.deposit("-5"),
    "deposit is NaN": lambda player: player.deposit("NaN"),
    "account is nobody's": lambda _: LedgerPlayer(0, "", 2**60).deposit(1),
    "account is no number of PostgreSQL's": lambda player: player.bet(1, account_id=2**70),
    "account is a house": lambda _: LedgerPlayer(0, "", 2).deposit(1),
    "provider is no number of PostgreSQL's": lambda player: player.bet(1, provider_id=2**40),
    "betId with NUL": lambda player: player.bet(1, 0, "a\0b"),
    "betId with half a character": lambda player: player.bet(1, 0, "a\ud800"),
    "round with half a character": lambda player: player.bet(1, round_id="a\ud800"),
    "reference with NUL": lambda player: player.deposit(1, "a\0b"),
}


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_command_fails_alone(ledger_world: World, poison: str) -> None:
    [player, other] = new_players(ledger_world, "10", 2)
    commands = [player.bet(1), POISONS[poison](player), player.bet(2, 1), other.bet(3)]
    batch = [taken(command) for command in commands]

    with ledger_on(ledger_world) as ledger:
        ends = by_id(run(ledger, batch))

    assert ends[batch[1].id].result is None
    assert ends[batch[1].id].failure not in ("", EXPIRED)
    good = [ends[batch[index].id].result for index in (0, 2, 3)]
    assert [result and (result["code"], result["balance"]) for result in good] == [
        (1, "9"),
        (1, "8"),
        (1, "7"),
    ]
    assert balance_of(ledger_world, player) == 8
    assert recorded_rows(ledger_world, player) == (2, 5)
    assert balance_of(ledger_world, other) == 7


def test_a_command_that_is_not_ours_fails_as_that_and_the_others_are_applied(
    ledger_world: World,
) -> None:
    [player] = new_players(ledger_world, "10")
    ours, foreign = taken(player.bet(1)), TakenCommand("foreign", BadJob(), Deadline.within(5))

    with ledger_on(ledger_world) as ledger:
        ends = by_id(run(ledger, [foreign, ours]))

    assert ends["foreign"].failure.startswith("BadJob: ")
    assert (ends["foreign"].result, ends["foreign"].reply_to) == (None, "")
    assert ends[ours.id] == FinishedCommand(ours.id, STREAM, ends[ours.id].result)
    assert balance_of(ledger_world, player) == 9
