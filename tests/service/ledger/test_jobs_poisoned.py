"""Jobs that cannot be run, and foreign jobs, fail alone. All others are applied."""

import json
import pickle
import zlib
from collections.abc import Callable
from decimal import Decimal

import pytest

from broker.batches import FinishedJob, TakenJob
from models.commands import Command
from models.deadline import Deadline
from tests.service.support.ledger_world import (
    STREAM,
    LedgerPlayer,
    balance_of,
    by_id,
    job,
    ledger_on,
    new_players,
    recorded_rows,
    run,
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

FUNCTION = "cash.deposit"
VALUES: dict[str, object] = {"account": 1, "reference": "r", "amount": "1"}


def encoded(
    function: object = FUNCTION,
    instance: object = None,
    arguments: object = (VALUES, ""),
    **named: object,
) -> bytes:
    """The `data` of a deposit, or of something like it."""
    return json.dumps([function, instance, arguments, named]).encode()


NOT_OURS = {
    "nothing": b"",
    "not JSON": b"{",
    "not UTF-8": b"\xff\xfe",
    "pickled": pickle.dumps(("os.system", None, ("true",), {})),
    "compressed nonsense": zlib.compress(b"nonsense"),
    "half of something compressed": zlib.compress(encoded())[:-4],
    "brackets without end": b"[" * 100_000,
    "a number": b"1",
    "text": b'"cash.deposit"',
    "too short": b'["cash.deposit", null, []]',
    "another function": b'["os.system", null, ["true"], {}]',
    "another function in our form": encoded("os.system"),
    "a function that is a list": encoded([FUNCTION]),
    "an instance": encoded(instance="x"),
    "named arguments": encoded(x=1),
    "no stream": encoded(arguments=[VALUES, None]),
    "a stream that is not ours": encoded(arguments=[VALUES, "rq:queues"]),
    "a stream with half a character": encoded(arguments=[VALUES, f"{STREAM}\ud800"]),
    "an order that is text": encoded(arguments=[VALUES, STREAM, "order"]),
    "an order without an HMAC": encoded(arguments=[VALUES, STREAM, [1, "key"]]),
    "an order until a fraction": encoded(arguments=[VALUES, STREAM, [1.5, "key", "hmac"]]),
    "an order until true": encoded(arguments=[VALUES, STREAM, [True, "key", "hmac"]]),
    "two orders": encoded(arguments=[VALUES, STREAM, [1, "key", "hmac"], [1, "key", "hmac"]]),
    "values that are a list": encoded(arguments=[["account"], ""]),
} | {
    f"{name} is {value!r}": encoded(arguments=[VALUES | {name: value}, ""])
    for name, value in [
        ("account", "1"),
        ("account", True),
        ("account", None),
        ("reference", 5),
        ("amount", 1.5),
        ("amount", 1),
        ("amount", "one"),
        ("amount", None),
    ]
}


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_job_fails_alone(ledger_world: World, poison: str) -> None:
    [player, other] = new_players(ledger_world, "10", 2)
    commands = [player.bet(1), POISONS[poison](player), player.bet(2, 1), other.bet(3)]
    jobs = [job(command) for command in commands]

    with ledger_on(ledger_world) as ledger:
        ends = by_id(run(ledger, jobs))

    assert ends[jobs[1].id].result is None
    assert ends[jobs[1].id].failure not in ("", EXPIRED)
    good = [ends[jobs[index].id].result for index in (0, 2, 3)]
    assert [result and (result["code"], result["balance"]) for result in good] == [
        (1, "9"),
        (1, "8"),
        (1, "7"),
    ]
    assert balance_of(ledger_world, player) == 8
    assert recorded_rows(ledger_world, player) == (2, 5)
    assert balance_of(ledger_world, other) == 7


@pytest.mark.parametrize("which", NOT_OURS)
def test_a_job_that_is_not_ours_fails_as_that_and_the_others_are_applied(
    ledger_world: World, which: str
) -> None:
    [player] = new_players(ledger_world, "10")
    ours, foreign = job(player.bet(1)), TakenJob("foreign", NOT_OURS[which], Deadline.within(5))

    with ledger_on(ledger_world) as ledger:
        ends = by_id(run(ledger, [foreign, ours]))

    assert ends["foreign"].failure.startswith("BadJob: ")
    assert (ends["foreign"].result, ends["foreign"].reply_to) == (None, "")
    assert ends[ours.id] == FinishedJob(ours.id, STREAM, ends[ours.id].result)
    assert balance_of(ledger_world, player) == 9
