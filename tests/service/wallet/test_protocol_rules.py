"""PROTOCOL.md, "What each call does": the table, and what a bet, an account and a repeat are."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.service.support.bet_rows import CALLS, RECORDED, STAKE, WIN, bet_in, follow
from tests.service.support.faults import locked
from tests.service.support.processes import until
from tests.service.support.refusals import (
    assert_refused,
    beside,
    bets_of,
    block,
    close,
    expire,
    suspend,
)
from tests.service.support.world import PlayerSession, World
from tests.service.wallet.short_timeout_world import under_way
from tests.service.wallet.wallet_checks import assert_names_its_transfers, ids_of

# For each row and call: code, state and what the balance changes by, first with the same data, then
# with other data. None: as with the same data.
Cell = tuple[int, str, int]
NO = (7, "", 0)
TABLE: dict[str, dict[str, tuple[Cell, Cell | None]]] = {
    "not recorded": {
        "pay-in": ((1, "open", -STAKE), None),
        "pay-in-out": ((1, "settled", WIN - STAKE), None),
        "pay-out": ((6, "unknown", 0), None),
        "refund": ((1, "cancelled", 0), None),
    },
    "open": {
        "pay-in": ((1, "open", 0), NO),
        "pay-in-out": (NO, NO),
        "pay-out": ((1, "settled", WIN), None),
        "refund": ((1, "refunded", STAKE), None),
    },
    "settled by pay-in + pay-out": {
        "pay-in": ((1, "settled", 0), NO),
        "pay-in-out": (NO, NO),
        "pay-out": ((1, "settled", 0), NO),
        "refund": ((1, "refunded", STAKE - WIN), None),
    },
    "settled by pay-in-out": {
        "pay-in": (NO, NO),
        "pay-in-out": ((1, "settled", 0), NO),
        "pay-out": (NO, NO),
        "refund": ((1, "refunded", STAKE - WIN), None),
    },
    "rejected by pay-in": {
        "pay-in": ((4, "rejected", 0), NO),
        "pay-in-out": (NO, NO),
        "pay-out": ((6, "rejected", 0), None),
        "refund": ((1, "rejected", 0), None),
    },
    "rejected by pay-in-out": {
        "pay-in": (NO, NO),
        "pay-in-out": ((4, "rejected", 0), NO),
        "pay-out": ((6, "rejected", 0), None),
        "refund": ((1, "rejected", 0), None),
    },
    **{
        row: {call: ((1, row.split()[0], 0) if call == "refund" else NO, None) for call in CALLS}
        for row in ("refunded", "refunded after a win", "cancelled")
    },
}


@pytest.fixture(autouse=True, scope="module")
def memory(world: World) -> None:
    world.wait_for_memory()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("row", TABLE)
def test_each_call_does_to_a_bet_in_each_row_what_the_table_says(
    world: World, player: PlayerSession, row: str, call: str
) -> None:
    same, other = TABLE[row][call]
    for more, cell in ((0, same), (1, other)):
        if cell is None:
            continue
        bet_id = bet_in(row, player)
        before, was = world.balance(player), player.client.status(bet_id).body["state"]
        code, state, change = cell

        answer = follow(row, call, player, bet_id, more)

        assert answer.code == code
        assert answer.body["balance"] == world.balance(player) == before + change
        assert player.client.status(bet_id).body["state"] == (state or was)
        assert_names_its_transfers(world, answer, player.account_id, bet_id)


@pytest.mark.parametrize("call", CALLS)
def test_a_late_repeat_comes_with_a_new_session_and_the_old_bet_id(
    world: World, player: PlayerSession, call: str
) -> None:
    row = {"pay-in": "open", "pay-out": "settled by pay-in + pay-out"}.get(call, "not recorded")
    bet_id = bet_in(row, player)
    first = follow(row, call, player, bet_id)
    close(world, player)

    repeat = follow(row, call, beside(world, player), bet_id)

    assert first.code == 1
    assert repeat.body == first.body


def test_a_bet_is_named_by_provider_and_bet_id_and_a_player_is_one_person_across_providers(
    world: World,
) -> None:
    player, bet_id = uuid.uuid4().hex, uuid.uuid4().hex
    here = world.open_session(world.provider(), "100", player=player)
    there = world.open_session(world.provider(), "0", player=player)

    one = here.call("pay-in", bet_id, betAmount=10)
    other = there.call("pay-in", bet_id, betAmount=20)

    assert here.account_id == there.account_id
    assert (one.body["balance"], other.body["balance"]) == (90, 70)
    assert one.body["betTransactionId"] != other.body["betTransactionId"]
    assert here.balance().body["balance"] == there.balance().body["balance"] == 70


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("row", RECORDED)
def test_a_bet_of_another_account_is_7(
    world: World, player: PlayerSession, row: str, call: str
) -> None:
    bet_id = bet_in(row, player)
    stranger = world.open_session(player.client, "3000")
    in_dollars = beside(world, player, "3000", currency="USD")
    before = player.client.status(bet_id).body

    for other in (stranger, in_dollars):
        assert_refused(follow(row, call, other, bet_id), 7, balance=3000)

    assert player.client.status(bet_id).body == before


@pytest.mark.parametrize("call", CALLS)
def test_a_session_that_is_unknown_or_another_providers_is_3_for_every_call_before_the_bet(
    world: World, player: PlayerSession, call: str
) -> None:
    other = world.provider()
    for row in ("not recorded", "open"):
        bet_id = bet_in(row, player)
        unknown = PlayerSession(player.client, uuid.uuid4().hex, player.account_id)
        anothers = PlayerSession(other, player.session_id, player.account_id)

        for nowhere in (unknown, anothers):
            assert_refused(follow(row, call, nowhere, bet_id), 3, balance=None)
            assert_refused(nowhere.balance(), 3, balance=None)

    assert [state for state, *_ in bets_of(world, player)] == ["open"]


@pytest.mark.parametrize("end", [close, expire, block, suspend])
def test_the_look_up_of_the_bet_comes_first(
    world: World, player: PlayerSession, end: Callable[[World, PlayerSession], None]
) -> None:
    taken, refused = bet_in("open", player), bet_in("rejected by pay-in", player)
    end(world, player)

    assert follow("open", "pay-in", player, taken).code == 1
    assert_refused(follow("rejected by pay-in", "pay-in", player, refused), 4, balance=990)
    assert_refused(follow("open", "pay-in", player, taken, 1), 7, balance=990)


def test_same_data_is_compared_as_numbers(world: World, player: PlayerSession) -> None:
    spellings = (10, "10", Decimal("10.00"), "1e1", "0.1E+2")
    first = player.call("pay-in", "a", betAmount=10)
    paid = player.call("pay-out", "a", winAmount="10.0")

    for same in spellings:
        assert ids_of(player.call("pay-in", "a", betAmount=same)) == ids_of(first)
        assert ids_of(player.call("pay-out", "a", winAmount=same)) == ids_of(paid)
    for other in ("10.01", "9.99", 0, "1e2"):
        assert player.call("pay-in", "a", betAmount=other).code == 7
        assert player.call("pay-out", "a", winAmount=other).code == 7
    assert world.balance(player) == 1000


def test_the_first_round_and_odd_stay(world: World, player: PlayerSession) -> None:
    player.call("pay-in", "a", betAmount=1, gameRoundId="first")

    assert player.call("pay-in", "a", betAmount=1, gameRoundId="second").code == 7
    player.call("pay-out", "a", winAmount=2, gameRoundId="third", winOdd="2.5")
    for more in ({"gameRoundId": 4, "winOdd": 3}, {"winOdd": None}, {}):
        assert player.call("pay-out", "a", winAmount=2, **more).code == 1
    player.call("refund", "a", gameRoundId="last")

    assert _round_and_odd(world, player) == ("first", Decimal("2.5"))


@pytest.mark.parametrize("call", CALLS)
def test_a_repeat_is_answered_with_the_first_ids_and_the_present_balance_and_moves_nothing(
    world: World, player: PlayerSession, call: str
) -> None:
    row = {"pay-out": "open", "refund": "open"}.get(call, "not recorded")
    bet_id = bet_in(row, player)
    first = follow(row, call, player, bet_id)
    player.call("pay-in", "another", betAmount=1)
    rows = bets_of(world, player)

    for _ in range(2):
        repeat = follow(row, call, player, bet_id)

        assert repeat.code == 1
        assert ids_of(repeat) == ids_of(first)
        assert repeat.body["balance"] == world.balance(player) == first.body["balance"] - 1
    assert bets_of(world, player) == rows


@pytest.mark.parametrize("call", CALLS)
def test_a_repeat_may_arrive_while_the_first_is_still_being_worked_on(
    world: World, player: PlayerSession, call: str
) -> None:
    row = "open" if call == "pay-out" else "not recorded"
    bet_id = bet_in(row, player)
    elsewhere = replace(player.client, url=world.gateways[1].url)
    other_gateway = PlayerSession(elsewhere, player.session_id, player.account_id)

    with ThreadPoolExecutor(2) as threads:
        with locked(world, player.account_id):
            first = threads.submit(follow, row, call, player, bet_id)
            until(lambda: len(under_way(world, player)) == 1)
            again = threads.submit(follow, row, call, other_gateway, bet_id)
            until(lambda: len(under_way(world, player)) == 2)

        assert first.result().body == again.result().body
    assert first.result().code == 1


def _round_and_odd(world: World, player: PlayerSession) -> Any:
    provider = world.provider_row(player.client)
    return world.rows("select round_id, odd from bet where provider_id = %s", provider)[0]
