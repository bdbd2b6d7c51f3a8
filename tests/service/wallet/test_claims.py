"""Claims of a body about its session, currency and player: if one is false, nothing is done."""

import secrets
import uuid
from typing import Any

import pytest

from tests.service.support.refusals import bets_of, block, close, suspend
from tests.service.support.traces import assert_no_trace
from tests.service.support.world import PlayerSession, World

CALLS: dict[str, dict[str, Any]] = {
    "pay-in": {"betAmount": 1},
    "pay-out": {"winAmount": 1},
    "pay-in-out": {"betAmount": 1, "winAmount": 1},
    "refund": {},
}


@pytest.fixture
def anna(world: World) -> tuple[PlayerSession, str]:
    """A player in euros, and its id in the operator's own system."""
    name = f"anna {uuid.uuid4().hex}"
    return world.open_session(world.provider(), player=name), name


@pytest.mark.parametrize("call", CALLS)
def test_a_claim_that_is_not_the_sessions_is_2_and_nothing_is_done(
    world: World, anna: tuple[PlayerSession, str], call: str
) -> None:
    player, name = anna
    currencies: list[Any] = ["FIM", "USD", "eur", "EUR ", "", "EUR\0", 978, 0, True, False, [], {}]
    users: list[Any] = ["somebody", name.upper(), "", "\0", 7, False, [], {"id": name}]
    claims = [{"currency": value} for value in currencies] + [{"userId": value} for value in users]
    claims += [{"currency": "EUR", "userId": "somebody"}, {"currency": "USD", "userId": None}]

    refused = [player.call(call, "a", **CALLS[call], **claim) for claim in claims]

    for answer, claim in zip(refused, claims, strict=True):
        assert (answer.status, answer.code) == (402, 2), (claim, answer.body)
        said = answer.body["message"]
        assert "currency" in said or "userId" in said
        assert "EUR" not in said
        assert name not in said
    assert_no_trace(world, player, *(answer.body["requestId"] for answer in refused))


@pytest.mark.parametrize("call", CALLS)
def test_a_claim_that_is_so_or_null_changes_nothing(
    world: World, anna: tuple[PlayerSession, str], call: str
) -> None:
    player, name = anna
    claims: list[dict[str, Any]] = [
        {"currency": "EUR", "userId": name},
        {"currency": None, "userId": None, "sessionId": player.session_id},
        {"currency": "EUR"},
        {"userId": name},
        {},
    ]
    if call == "pay-out":
        player.call("pay-in", "a", betAmount=1)

    answers = [player.call(call, "a", **CALLS[call], **claim) for claim in claims]

    assert {answer.code for answer in answers} == {1}
    assert all(answer.body == answers[0].body for answer in answers)
    assert len(bets_of(world, player)) == 1


def test_a_user_id_that_is_a_whole_number_is_taken_as_its_text(world: World) -> None:
    number = secrets.randbelow(10**12) + 10**12
    player = world.open_session(world.provider(), player=str(number))
    path = f"/v1/sessions/{player.session_id}/bets/pay-in"

    def code(user: str) -> int:
        return player.client.post(
            path, b'{"betId":"a","betAmount":1,"userId":%b}' % user.encode()
        ).code

    assert [code(str(number)), code(f'"{number}"')] == [1, 1]
    assert {code(other) for other in (f"{number}.0", f'"0{number}"', f"{number}1", "1e3")} == {2}


def test_the_claims_are_those_of_the_session_in_the_path_and_not_of_the_first_that_was_seen(
    world: World, anna: tuple[PlayerSession, str]
) -> None:
    player, name = anna
    in_dollars = world.open_session(player.client, player=name, currency="USD")
    ben = world.open_session(player.client, player=f"ben {uuid.uuid4().hex}")

    for one, currency in ((player, "EUR"), (in_dollars, "USD"), (player, "EUR")):
        assert one.pay_in_out(1, currency=currency, userId=name).code == 1
    assert in_dollars.pay_in_out(1, currency="EUR", userId=name).code == 2
    assert ben.pay_in_out(1, currency="EUR", userId=name).code == 2


def test_a_false_claim_about_a_recorded_bet_is_2_and_the_bet_stays(
    anna: tuple[PlayerSession, str],
) -> None:
    player, _ = anna
    first = player.pay_in_out(1, betId="a")

    for call, fields in CALLS.items():
        assert player.call(call, "a", **fields, currency="FIM").code == 2

    assert player.pay_in_out(1, betId="a").body == first.body


def test_an_unknown_session_is_3_whatever_is_claimed_and_a_false_claim_2_whatever_forbids_the_bet(
    world: World, anna: tuple[PlayerSession, str]
) -> None:
    player, _ = anna
    nowhere = PlayerSession(player.client, "nowhere", player.account_id)
    assert nowhere.pay_in_out(1, currency="FIM").code == 3
    for forbid in (close, block, suspend):
        forbid(world, player)

    assert player.pay_in_out(1, currency="FIM").code == 2
    assert player.pay_in_out(1, currency="EUR").code == 3
