"""Deposits and withdrawals are executed only for holders of the operator key."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from broker.codec import Work, encode_command
from broker.ended import FinishedCommand
from broker.keys import command_id
from broker.orders import BadOrder, Orders
from broker.taken import TakenCommand
from models.commands import Command, Deposit, PayInOut, Withdrawal
from models.keys import KeyRing, Purpose
from models.ledger.ledger import Ledger
from settings import Settings
from tests.service.support import keys
from tests.service.support.ledger_world import (
    STREAM,
    LedgerPlayer,
    apply,
    balance_of,
    by_id,
    ledger_on,
    locked,
    new_players,
    run,
    running,
    taken,
    until_waiting,
)
from tests.service.support.processes import until
from tests.service.support.queue_world import QueueWorld, Request
from tests.service.support.world import PlayerSession, World
from workers.jobs import EXPIRED
from workers.jobs import run as run_batch

COMMAND = Withdrawal(7, "a reference", Decimal("10.50"))
TOKEN = "ab" * 16
ID = command_id(COMMAND.account_id, TOKEN)


@pytest.fixture
def ledger(ledger_world: World) -> Iterator[Ledger]:
    with ledger_on(ledger_world) as on_its_own_connection:
        yield on_its_own_connection


@pytest.fixture
def withdrawer(ledger_world: World) -> LedgerPlayer:
    """A player with 10 EUR."""
    return new_players(ledger_world, "10")[0]


def withdrawal(player: LedgerPlayer, amount: int, reference: str = "") -> Withdrawal:
    return Withdrawal(player.account_id, reference or uuid.uuid4().hex, Decimal(amount))


def ends_of(ledger: Ledger, *batch: TakenCommand) -> list[FinishedCommand]:
    """How the commands of one batch end, in their order."""
    ends = by_id(run(ledger, batch))
    return [ends[one.id] for one in batch]


def code_of(ledger: Ledger, one: TakenCommand) -> object:
    (end,) = ends_of(ledger, one)
    assert end.result is not None, end.failure
    return end.result["code"]


def test_a_planted_deposit_moves_no_money_and_the_bets_beside_it_are_applied(
    world: World, player: PlayerSession
) -> None:
    plants: list[Command] = [
        Deposit(player.account_id, uuid.uuid4().hex, Decimal(5000)),
        Withdrawal(player.account_id, uuid.uuid4().hex, Decimal(500)),
    ]
    provider, bet_id = world.provider_row(player.client), uuid.uuid4().hex
    bet = PayInOut(
        *(provider, player.session_id, player.account_id, bet_id), stake=Decimal(1), win=Decimal(2)
    )
    requests = [planted(command) for command in (*plants, bet)]

    with QueueWorld(world.urls.redis, flush=False) as queue:
        assert queue.admit(*requests) == "AAA"
        until(lambda: queue.under_way_of(player.account_id) == [])
        statuses = [queue.status(one.command_id) for one in requests]
        group = queue.status(f"group-{requests[0].token}")

    assert statuses == ["failed", "failed", None]  # the bet was applied as one of its group
    assert group == "finished"
    assert world.balance(player) == 1001


def planted(command: Command) -> Request:
    """A command that nobody has signed, as whoever can write to Redis admits it."""
    request = Request(command.account_id)
    return replace(request, payload=encode_command(command, request.token, ""))


def test_whoever_waits_for_a_refused_command_is_told_why(
    ledger: Ledger, withdrawer: LedgerPlayer
) -> None:
    planted, bet = taken(withdrawer.deposit(5), signed=False), taken(withdrawer.bet(1))

    (refused, applied) = ends_of(ledger, planted, bet)

    why = "It is not signed with the operator key."
    assert refused.failure == f"BadOrder: {why}"
    assert (refused.result, refused.reply_to) == (None, STREAM)
    assert refused.answer == {"code": 0, "balance": None, "ids": [], "refused": why}
    assert applied.result is not None


def test_without_a_way_to_check_orders_no_cash_moves(
    ledger: Ledger, withdrawer: LedgerPlayer
) -> None:
    (end,) = run_batch(ledger, [taken(withdrawer.deposit(5))])

    assert (end.result, end.failure[:9]) == (None, "BadOrder:")


def test_an_order_moves_money_once_however_often_it_is_run(
    ledger: Ledger, ledger_world: World, withdrawer: LedgerPlayer
) -> None:
    captured = taken(withdrawal(withdrawer, 4))

    ends = [ends_of(ledger, captured)[0].result for _ in range(2)]

    assert ends[0] == ends[1]
    assert balance_of(ledger_world, withdrawer) == 6


def test_a_refused_withdrawal_is_refused_for_ever_and_a_new_order_is_not(
    ledger: Ledger, ledger_world: World, withdrawer: LedgerPlayer
) -> None:
    wanted = withdrawal(withdrawer, 15)
    captured = taken(wanted)
    assert code_of(ledger, captured) == 4
    apply(ledger_world, withdrawer.deposit(90))

    assert code_of(ledger, captured) == 4
    assert balance_of(ledger_world, withdrawer) == 100
    assert code_of(ledger, taken(wanted)) == 1
    assert code_of(ledger, captured) == 1  # the reference is booked: nothing more is moved
    assert balance_of(ledger_world, withdrawer) == 85


def test_a_refusal_and_its_copy_in_one_batch_are_both_refused(
    ledger: Ledger, ledger_world: World, withdrawer: LedgerPlayer
) -> None:
    captured = taken(withdrawal(withdrawer, 15))
    money = taken(withdrawer.deposit(90))

    ends = run(ledger, [captured, money, captured])

    assert [(end.result or {})["code"] for end in ends] == [4, 1, 4]
    assert balance_of(ledger_world, withdrawer) == 100


@pytest.mark.parametrize(
    ("seconds_ago", "why"), [(35.0, "time ended 31 s ago"), (-31, "lasts for another 35 s")]
)
def test_an_order_lasts_for_seconds_by_clocks_that_differ_by_less_than_thirty(
    ledger: Ledger, withdrawer: LedgerPlayer, seconds_ago: float, why: str
) -> None:
    (end,) = ends_of(ledger, taken(withdrawer.deposit(1), now=time.time() - seconds_ago))
    assert end.result is None
    assert why in end.failure

    for apart in (-29, 29):
        assert code_of(ledger, taken(withdrawer.deposit(1), now=time.time() + apart)) == 1


def test_an_order_ends_its_command_whatever_deadline_redis_was_told(
    ledger: Ledger, ledger_world: World, withdrawer: LedgerPlayer
) -> None:
    """Whoever holds the deadline of a captured order back would choose when it is run."""
    assert code_of(ledger, taken(withdrawer.deposit(1))) == 1  # it is connected

    with locked(ledger_world, withdrawer.account_id) as other:
        seconds_left = 3  # of the order; its command has a minute
        captured = taken(withdrawer.deposit(5), 60, now=time.time() - 34 + seconds_left)
        order_ends = time.monotonic() + seconds_left
        with running(partial(run, ledger, [captured])) as ends:
            until_waiting(ledger_world)
            until(lambda: time.monotonic() > order_ends)
            other.rollback()

    (end,) = ends.result()
    assert (end.result, end.failure, end.expired) == (None, EXPIRED, True)
    assert balance_of(ledger_world, withdrawer) == 11


CHANGES: dict[str, dict[str, Any]] = {
    "another call": {"command": Deposit(7, "a reference", Decimal("10.50"))},
    "another account": {"command": replace(COMMAND, account_id=8)},
    "another reference": {"command": replace(COMMAND, reference="another")},
    "another amount": {"command": replace(COMMAND, amount=Decimal("10.51"))},
    "another command": {"id": command_id(7, "cd" * 16)},
    "another account's": {"id": command_id(8, TOKEN)},
    "another waiting": {"reply_to": "betcore:replies:another"},
    "nobody waiting": {"reply_to": ""},
    "a later deadline": {"expires_ms": 1_000_004_001},
    "half a character": {"hmac": "\ud800"},
    "no HMAC": {"hmac": ""},
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_order_is_bound_to_all_that_it_says(change: str) -> None:
    order = keys.ORDERS.sign(COMMAND, ID, STREAM, 1_000_000)
    assert keys.ORDERS.checked(ID, Work(COMMAND, TOKEN, STREAM, order), 1_000_000) == replace(
        COMMAND, order_id=TOKEN
    )
    given: dict[str, Any] = {"command": COMMAND, "id": ID, "reply_to": STREAM}
    changed = given | CHANGES[change]
    forged = order._replace(**{k: v for k, v in changed.items() if k in order._fields})

    with pytest.raises(BadOrder, match="Its signature is not for this job"):
        keys.ORDERS.checked(
            changed["id"], Work(changed["command"], TOKEN, changed["reply_to"], forged), 1_000_000
        )


def test_an_order_for_another_queue_or_with_another_key_is_none_of_ours() -> None:
    elsewhere = Orders(keys.OPERATOR, Settings(queue_name="other"))
    stranger = Orders(KeyRing.read(Purpose.OPERATOR, keys.OTHER_OPERATOR), Settings())
    journal = Orders(KeyRing.read(Purpose.JOURNAL, keys.HEX[Purpose.OPERATOR]), Settings())

    for signer, why in (
        (elsewhere, "is not for this job"),
        (stranger, "which the worker does not have: BETCORE_OPERATOR_KEY must be the same"),
        (journal, "which the worker does not have"),
    ):
        order = signer.sign(COMMAND, ID, STREAM, time.time())
        with pytest.raises(BadOrder, match=why):
            keys.ORDERS.checked(ID, Work(COMMAND, TOKEN, STREAM, order), time.time())


def test_orders_signed_with_a_replaced_key_are_good_for_as_long_as_it_is_given() -> None:
    both = KeyRing.read(Purpose.OPERATOR, keys.OTHER_OPERATOR, keys.HEX[Purpose.OPERATOR])
    order = keys.ORDERS.sign(COMMAND, ID, STREAM, time.time())

    checked = Orders(both, Settings()).checked(ID, Work(COMMAND, TOKEN, STREAM, order), time.time())

    assert checked.reference == COMMAND.reference
