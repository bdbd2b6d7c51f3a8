"""`betcore player block` and `unblock`: who may play."""

import uuid

import pytest

from tests.service.support.client import ProviderClient
from tests.service.support.desk import Desk
from tests.service.support.processes import until
from tests.service.support.world import World


@pytest.fixture
def client(world: World) -> ProviderClient:
    return world.provider()


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world, provider="")


@pytest.fixture
def player() -> str:
    return f"player {uuid.uuid4().hex}"


def test_a_blocked_player_takes_no_new_bet_and_is_still_paid_what_is_owed(
    world: World, client: ProviderClient, desk: Desk, player: str
) -> None:
    seat = world.seat(client, "100", player=player)
    for bet_id in (f"{player}: paid", f"{player}: undone"):
        assert seat.call("pay-in", bet_id, betAmount=10).code == 1

    assert desk.documents("player", "block", player) == [{"player": player, "status": "blocked"}]

    for call, fields in {"pay-in": {}, "pay-in-out": {"winAmount": 5}}.items():
        refused = seat.call(call, f"{player}: {call}", betAmount=1, **fields)
        assert (refused.status, refused.code, refused.body["balance"]) == (402, 5, 80)
    assert seat.call("pay-in", f"{player}: paid", betAmount=10).code == 1
    assert seat.call("pay-out", f"{player}: paid", winAmount=25).code == 1
    assert seat.call("refund", f"{player}: undone").code == 1
    assert seat.balance().body["balance"] == 115
    # Until Redis has been up for a few seconds, a bet may be in flight for all that is known.
    until(lambda: client.status(f"{player}: paid").body["state"] == "settled")


def test_a_player_is_blocked_at_every_provider_and_nobody_else_is(
    world: World, client: ProviderClient, desk: Desk, player: str
) -> None:
    elsewhere = world.seat(world.provider(), player=player, currency="JPY")
    other = world.seat(client, player=f"other {player}")

    desk.documents("player", "block", player)

    assert elsewhere.pay_in_out(1).code == 5
    assert other.pay_in_out(1).code == 1


def test_an_unblocked_player_bets_again_and_what_was_refused_stays_refused(
    world: World, client: ProviderClient, desk: Desk, player: str
) -> None:
    seat = world.seat(client, player=player)
    for _ in range(2):
        desk.documents("player", "block", player)
    assert seat.pay_in_out(1, betId=player).code == 5

    for _ in range(2):
        (document,) = desk.documents("player", "unblock", player)

    assert document == {"player": player, "status": "active"}
    assert seat.pay_in_out(1).code == 1
    assert seat.pay_in_out(1, betId=player).code == 5


@pytest.mark.parametrize("command", ["block", "unblock"])
def test_a_player_that_does_not_exist_is_neither_blocked_nor_made(
    desk: Desk, player: str, command: str
) -> None:
    assert desk.refusal("player", command, player) == f"There is no player {player!r}."
    assert desk.count(f"player where external_id = '{player}'") == 0
