"""`roundFinished`: a round ends once, with all that is open in it, and takes no stake again."""

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from models.database.transactions import transaction
from models.ledger.rules import CLOSED_MAX
from models.reports.bet_life import bet_life
from tests.service.support.client import Answer
from tests.service.support.refusals import assert_refused, beside, bets_of, block, close, name_of
from tests.service.support.traces import assert_no_trace
from tests.service.support.world import PlayerSession, World

FINISHING: dict[str, dict[str, Any]] = {
    "pay-out": {"winAmount": 5},
    "pay-in-out": {"betAmount": 10, "winAmount": 15},
}


@pytest.fixture(autouse=True, scope="module")
def memory(world: World) -> None:
    """Redis remembers for so long that states of bets are said."""
    world.wait_for_memory()


def bets(world: World, player: PlayerSession) -> dict[str, tuple[str, Any]]:
    """State and win of each bet of the player at its provider, by betId."""
    found = world.rows(
        "select bet_id, state, win from bet where account_id = %s and provider_id = %s",
        *(player.account_id, world.provider_row(player.client)),
    )
    return {bet_id: (state, win) for bet_id, state, win in found}


def open_bets(player: PlayerSession, names: Sequence[str], **fields: Any) -> None:
    """Bets of 10 in the round r1, unless the fields say otherwise."""
    for name in names:
        of = {"betAmount": 10, "gameRoundId": "r1"} | fields
        assert player.call("pay-in", name, **of).code == 1


def finish(player: PlayerSession, call: str, bet_id: str = "a", **fields: Any) -> Answer:
    """A call that finishes its round."""
    return player.call(call, bet_id, **(FINISHING[call] | {"roundFinished": True} | fields))


@pytest.fixture
def settling(request: pytest.FixtureRequest, player: PlayerSession) -> str:
    """A call that finishes the round of the bet `a`, which is open if the call is a pay-out."""
    call = str(request.param)
    open_bets(player, ["a"] if call == "pay-out" else [])
    return call


both = pytest.mark.parametrize("settling", FINISHING, indirect=True)


@both
def test_the_other_open_bets_of_the_round_are_settled_with_0_and_nothing_else_is(
    world: World, player: PlayerSession, settling: str
) -> None:
    stranger = world.open_session(world.provider())
    other_player = world.open_session(player.client)
    open_bets(player, ["b", "c"])
    open_bets(player, ["of another round"], gameRoundId="r2")
    open_bets(player, ["of no round"], gameRoundId=None)
    open_bets(stranger, ["b"])
    open_bets(other_player, ["of another player"])
    assert player.call("pay-in-out", "won", betAmount=1, winAmount=1, gameRoundId="r1").code == 1
    elsewhere = world.open_session(stranger.client, "0", player=name_of(world, player))
    open_bets(elsewhere, ["d"], betAmount=0)

    answer = finish(player, settling, gameRoundId="r1")

    assert answer.code == 1
    assert set(answer.body) - {"betTransactionId"} == {
        *("winTransactionId", "balance", "_responseCode")
    }
    now = bets(world, player)
    assert now.pop("a") == ("settled", FINISHING[settling]["winAmount"])
    assert now == {
        "b": ("settled", 0),
        "c": ("settled", 0),
        "won": ("settled", 1),
        "of another round": ("open", None),
        "of no round": ("open", None),
    }
    assert bets(world, stranger) == {"b": ("open", None)}
    assert bets(world, elsewhere) == {"d": ("open", None)}
    assert bets(world, other_player) == {"of another player": ("open", None)}
    assert answer.body["balance"] == world.balance(player)
    closed = player.client.status("b").body
    assert (closed["state"], closed["winAmount"]) == ("settled", 0)
    assert closed["winTransactionId"] is not None
    with transaction(world.operator_url) as database:
        life = bet_life(database, player.client.counterparty_id, "b")
    assert [one.event for one in life.events] == [
        "session_opened",
        "stake",
        "round_finished",
        "win",
    ]


@both
def test_a_finished_round_takes_no_new_stake_but_what_is_owed_is_paid(
    world: World, player: PlayerSession, settling: str
) -> None:
    open_bets(player, ["b"])
    player.call("pay-in", "too much", betAmount=10**6, gameRoundId="r1")
    assert finish(player, settling, gameRoundId="r1").code == 1
    before = world.balance(player), bets_of(world, player)

    late = [
        player.call("pay-in", "late", betAmount=1, gameRoundId="r1"),
        player.call("pay-in", "late", betAmount=0, gameRoundId="r1"),
        player.call("pay-in", "late", betAmount=10**6, gameRoundId="r1"),
        player.call("pay-in-out", "late", betAmount=1, winAmount=9, gameRoundId="r1"),
        player.call("pay-in-out", "late", betAmount=0, winAmount=0, gameRoundId="r1"),
        finish(player, "pay-in-out", "late", gameRoundId="r1"),
    ]
    for answer in late:
        assert_refused(answer, 7, balance=before[0])
    assert "round" in late[0].body["message"]
    assert (world.balance(player), bets_of(world, player)) == before
    assert player.client.status("late").body["state"] == "unknown"

    assert player.call("pay-in", "too much", betAmount=10**6, gameRoundId="r1").code == 4
    assert player.call("pay-in", "b", betAmount=10, gameRoundId="r1").code == 1
    prize = player.call("pay-in-out", "prize", betAmount=0, winAmount=3, gameRoundId="r1")
    assert prize.code == 1
    assert player.call("pay-in", "next", betAmount=1, gameRoundId="r2").code == 1
    assert player.call("pay-in", "none", betAmount=1).code == 1
    assert player.call("refund", "late", gameRoundId="r1").code == 1


@both
def test_a_repeat_gets_the_first_answer_and_closes_nothing_twice(
    world: World, player: PlayerSession, settling: str
) -> None:
    open_bets(player, ["b"])
    first = finish(player, settling, gameRoundId="r1")
    transfers = "select count(*) from transfer where account = %s"
    before = world.rows(transfers, player.account_id)
    later = beside(world, player)

    with ThreadPoolExecutor(4) as pool:
        again = [pool.submit(finish, later, settling, gameRoundId="r1") for _ in range(4)]
    without = player.call(settling, "a", **FINISHING[settling])

    assert [one.result().body for one in again] == [first.body] * 4
    assert without.body == first.body
    assert world.rows(transfers, player.account_id) == before


@both
def test_a_repeat_that_finishes_the_round_where_the_first_did_not_finishes_it(
    world: World, player: PlayerSession, settling: str
) -> None:
    """A 1 to `roundFinished: true` always means that the round is finished."""
    open_bets(player, ["b"])
    first = player.call(settling, "a", **FINISHING[settling], gameRoundId="r1")

    assert finish(player, settling, gameRoundId="r1").body == first.body

    assert bets(world, player)["b"] == ("settled", 0)
    assert player.call("pay-in", "c", betAmount=1, gameRoundId="r1").code == 7


def test_what_the_round_closed_is_paid_out_as_0_alone_and_refunded_as_any_settled_bet(
    world: World, player: PlayerSession
) -> None:
    open_bets(player, ["a", "b", "c"])
    assert finish(player, "pay-out").code == 1
    balance = world.balance(player)

    lost = player.call("pay-out", "b", winAmount=0)
    assert lost.code == 1
    assert lost.body["winTransactionId"] == player.client.status("b").body["winTransactionId"]
    assert_refused(player.call("pay-out", "b", winAmount="0.01"), 7, balance=balance)
    back = player.call("refund", "b")
    assert (back.code, back.body["balance"]) == (1, balance + 10)
    assert player.call("refund", "b").body == back.body
    assert_refused(player.call("pay-out", "b", winAmount=0), 7, balance=balance + 10)
    assert finish(player, "pay-out", "c", winAmount=0).code == 1


def test_the_round_is_the_one_that_the_call_names_and_otherwise_that_of_the_bet(
    world: World, player: PlayerSession
) -> None:
    open_bets(player, ["a", "b"])
    open_bets(player, ["c", "d"], gameRoundId="r2")

    assert finish(player, "pay-out", gameRoundId="r2").code == 1
    states = {name: state for name, (state, _) in bets(world, player).items()}
    assert states == {"a": "settled", "b": "open", "c": "settled", "d": "settled"}
    assert player.call("pay-in", "e", betAmount=1, gameRoundId="r1").code == 1

    assert finish(player, "pay-out", "b").code == 1
    assert bets(world, player)["e"] == ("settled", 0)


def test_without_any_round_it_concerns_this_bet_alone(world: World, player: PlayerSession) -> None:
    open_bets(player, ["a", "b"], gameRoundId=None)

    assert finish(player, "pay-out").code == 1
    assert finish(player, "pay-in-out", "c").code == 1

    assert bets(world, player)["b"] == ("open", None)
    assert player.call("pay-in", "d", betAmount=1).code == 1


def test_a_refused_call_closes_nothing(world: World, player: PlayerSession) -> None:
    open_bets(player, ["a", "b"])
    player.call("refund", "a")
    ended = beside(world, player)

    refused = [
        (finish(player, "pay-out"), 7),  # it was refunded
        (finish(player, "pay-out", "unknown", gameRoundId="r1"), 6),
        (finish(player, "pay-in-out", "c", betAmount=10**6, gameRoundId="r1"), 4),
        (finish(player, "pay-in-out", "c", betAmount=10**6, gameRoundId="r1"), 4),
        (finish(player, "pay-in-out", "b", gameRoundId="r1"), 7),
        (finish(player, "pay-out", "b", currency="USD"), 2),
    ]
    close(world, ended)
    refused.append((finish(ended, "pay-in-out", "d", gameRoundId="r1"), 3))
    block(world, player)
    refused.append((finish(player, "pay-in-out", "e", gameRoundId="r1"), 5))

    assert [answer.code for answer, _ in refused] == [code for _, code in refused]
    assert bets(world, player)["b"] == ("open", None)
    assert world.rows("select 1 from finished_round where account_id = %s", player.account_id) == []
    assert finish(player, "pay-out", "b", winAmount=0).code == 1  # it is owed


@pytest.mark.parametrize("value", [1, 0, "true", "", [], {}, 1.5])
@pytest.mark.parametrize("call", FINISHING)
def test_a_flag_of_another_type_is_2_and_nothing_is_done(
    world: World, player: PlayerSession, call: str, value: Any
) -> None:
    refused = finish(player, call, roundFinished=value, gameRoundId="r1")

    assert (refused.status, refused.code) == (402, 2)
    assert "roundFinished" in refused.body["message"]
    assert_no_trace(world, player, refused.body["requestId"])


def test_null_and_false_finish_nothing_and_on_other_calls_the_field_is_unknown(
    world: World, player: PlayerSession
) -> None:
    open_bets(player, ["a", "b", "c"], roundFinished="whatever")
    for name, value in (("a", None), ("b", False)):
        assert finish(player, "pay-out", name, roundFinished=value).code == 1
    assert player.call("refund", "b", roundFinished=True, gameRoundId="r1").code == 1

    assert bets(world, player)["c"] == ("open", None)
    assert player.call("pay-in", "d", betAmount=1, gameRoundId="r1").code == 1


def test_a_round_with_more_open_bets_than_one_call_closes_is_closed_by_its_repeats(
    world: World, player: PlayerSession
) -> None:
    count = 2 * CLOSED_MAX + 2
    names = [f"bet {number}" for number in range(count)]
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda name: _pay_in(player, name), names))
    assert taken == [1] * count

    def left() -> int:
        return sum(state == "open" for state, _ in bets(world, player).values())

    first = finish(player, "pay-out", "bet 0")
    assert first.code == 1
    assert left() == count - 1 - CLOSED_MAX
    assert player.call("pay-in", "late", betAmount=1, gameRoundId="r1").code == 7
    assert finish(player, "pay-out", "bet 0").body == first.body
    assert left() == 1
    assert finish(player, "pay-out", "bet 0").body == first.body
    assert left() == 0


def test_pay_ins_that_race_with_the_end_of_their_round_are_closed_by_it_or_refused(
    world: World, player: PlayerSession
) -> None:
    for number in range(6):
        round_id = f"round {number}"
        open_bets(player, [f"first of {number}"], betAmount=0, gameRoundId=round_id)
        names = [f"{name} of {number}" for name in "abcdefgh"]
        with ThreadPoolExecutor(9) as pool:
            taking = [pool.submit(_pay_in, player, name, round_id) for name in names]
            ending = pool.submit(finish, player, "pay-out", f"first of {number}")
        assert ending.result().code == 1

        now = bets(world, player)
        for name, code in zip(names, taking, strict=True):
            assert (code.result(), now.get(name)) in [(1, ("settled", 0)), (7, None)]


def _pay_in(player: PlayerSession, name: str, round_id: str = "r1") -> int:
    return player.call("pay-in", name, betAmount=0, gameRoundId=round_id).code


def test_two_players_of_one_game_finish_the_same_round_each_for_itself(world: World) -> None:
    client = world.provider()
    anna, ben = (world.open_session(client, player=uuid.uuid4().hex) for _ in range(2))
    for player, name in ((anna, "a"), (ben, "b")):
        assert player.call("pay-in", name, betAmount=1, gameRoundId="crash").code == 1

    assert finish(anna, "pay-out").code == 1

    assert ben.call("pay-in", "c", betAmount=1, gameRoundId="crash").code == 1
    assert anna.call("pay-in", "d", betAmount=1, gameRoundId="crash").code == 7
    assert finish(ben, "pay-out", "b", winAmount=0).code == 1
    assert bets(world, ben)["c"] == ("settled", 0)
