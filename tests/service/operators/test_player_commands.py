"""`betcore player block` and `unblock` decide who may play."""

import uuid

import pytest

from tests.service.support.client import ProviderClient
from tests.service.support.operator_cli import Operator
from tests.service.support.processes import until
from tests.service.support.world import World


@pytest.fixture
def name() -> str:
    return f"player {uuid.uuid4().hex}"


def test_a_blocked_player_takes_no_new_bet_and_is_still_paid_what_is_owed(
    world: World, client: ProviderClient, operator: Operator, name: str
) -> None:
    player = world.open_session(client, "100", player=name)
    for bet_id in (f"{name}: paid", f"{name}: undone"):
        assert player.call("pay-in", bet_id, betAmount=10).code == 1

    assert operator.documents("player", "block", name) == [{"player": name, "status": "blocked"}]

    for call, fields in {"pay-in": {}, "pay-in-out": {"winAmount": 5}}.items():
        refused = player.call(call, f"{name}: {call}", betAmount=1, **fields)
        assert (refused.status, refused.code, refused.body["balance"]) == (402, 5, 80)
    assert player.call("pay-in", f"{name}: paid", betAmount=10).code == 1
    assert player.call("pay-out", f"{name}: paid", winAmount=25).code == 1
    assert player.call("refund", f"{name}: undone").code == 1
    assert player.balance().body["balance"] == 115
    # Until Redis has been up for a few seconds, a bet may be in flight for all that is known.
    until(lambda: client.status(f"{name}: paid").body["state"] == "settled")


def test_a_player_is_blocked_at_every_provider_and_nobody_else_is(
    world: World, client: ProviderClient, operator: Operator, name: str
) -> None:
    elsewhere = world.open_session(world.provider(), player=name, currency="JPY")
    other = world.open_session(client, player=f"other {name}")

    operator.documents("player", "block", name)

    assert elsewhere.pay_in_out(1).code == 5
    assert other.pay_in_out(1).code == 1


def test_an_unblocked_player_bets_again_and_what_was_refused_stays_refused(
    world: World, client: ProviderClient, operator: Operator, name: str
) -> None:
    player = world.open_session(client, player=name)
    for _ in range(2):
        operator.documents("player", "block", name)
    assert player.pay_in_out(1, betId=name).code == 5

    for _ in range(2):
        (document,) = operator.documents("player", "unblock", name)

    assert document == {"player": name, "status": "active"}
    assert player.pay_in_out(1).code == 1
    assert player.pay_in_out(1, betId=name).code == 5


@pytest.mark.parametrize("command", ["block", "unblock"])
def test_a_player_that_does_not_exist_is_neither_blocked_nor_made(
    operator: Operator, name: str, command: str
) -> None:
    assert operator.refusal("player", command, name) == f"There is no player {name!r}."
    assert operator.count(f"player where external_id = '{name}'") == 0
