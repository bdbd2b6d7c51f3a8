"""`gameId` in a body: kept where the session names no game, and refused where it contradicts."""

from datetime import timedelta
from typing import Any

import pytest

from models.audit.log import operation
from models.directory.sessions import Opening, open_sessions
from models.reports.house import house_result
from tests.service.support import keys
from tests.service.support.refusals import name_of
from tests.service.support.traces import assert_no_trace
from tests.service.support.world import PlayerSession, World
from tests.service.wallet.test_claims import CALLS


def of_game(world: World, player: PlayerSession, game: str) -> PlayerSession:
    """The same player in a session of this game."""
    opening = Opening(player.client.counterparty_id, "EUR", None, None, timedelta(hours=1), game)
    with operation(world.operator_url, keys.AUTHOR) as database:
        [opened] = open_sessions(database, opening, [name_of(world, player)])
    return PlayerSession(player.client, opened.session_id, opened.account_id)


@pytest.mark.parametrize("call", CALLS)
def test_a_game_that_contradicts_the_sessions_is_2_and_nothing_is_done(
    world: World, player: PlayerSession, call: str
) -> None:
    slots = of_game(world, player, "slots")
    others: list[Any] = ["Slots", "slots ", "", 7, True, [], {}, "x" * 129, "\0"]

    refused = [slots.call(call, "a", **CALLS[call], gameId=other) for other in others]

    for answer in refused:
        assert (answer.status, answer.code) == (402, 2), answer
        assert "gameId" in answer.body["message"]
        assert "slots" not in answer.body["message"]
    assert_no_trace(world, player, *(answer.body["requestId"] for answer in refused))


@pytest.mark.parametrize("call", CALLS)
def test_the_game_of_the_session_or_none_changes_nothing(
    world: World, player: PlayerSession, call: str
) -> None:
    seven = of_game(world, player, "7")
    if call == "pay-out":
        seven.call("pay-in", "a", betAmount=1)

    answers = [seven.call(call, "a", **CALLS[call], **of) for of in GAMES_OF_SEVEN]

    assert all(answer.code == 1 and answer.body == answers[0].body for answer in answers)
    assert world.rows(
        "select game from bet where bet_id = 'a' and account_id = %s", *[player.account_id]
    ) == [(None,)]
    assert player.client.status("a").body["gameId"] in ("7", None)  # None: still in flight


GAMES_OF_SEVEN: list[dict[str, Any]] = [{"gameId": "7"}, {"gameId": 7}, {"gameId": None}, {}]


def test_the_first_game_of_a_bet_is_kept_and_reported_where_the_session_names_none(
    world: World, player: PlayerSession
) -> None:
    world.wait_for_memory()
    for name, game in (("a", "dice"), ("b", 7), ("c", None)):
        assert player.call("pay-in", name, betAmount=2, gameId=game).code == 1
    assert player.call("pay-out", "a", winAmount=1, gameId="another").code == 1
    assert player.call("pay-out", "c", winAmount=0, gameId="too late").code == 1
    assert player.call("pay-in", "a", betAmount=2, gameId="another").code == 1
    slots = of_game(world, player, "slots")
    assert slots.call("pay-in-out", "d", betAmount=5, winAmount=0, gameId="slots").code == 1

    games = {name: player.client.status(name).body["gameId"] for name in "abcd"}
    assert games == {"a": "dice", "b": "7", "c": None, "d": "slots"}
    days = house_result(world.operator_url, counterparty_id=player.client.counterparty_id)
    assert {day.game: (day.bets, int(day.stakes), int(day.wins)) for day in days} == {
        None: (1, 2, 0),
        "dice": (1, 2, 1),
        "7": (1, 2, 0),
        "slots": (1, 5, 0),
    }
    of_dice = house_result(
        world.operator_url, counterparty_id=player.client.counterparty_id, game="dice"
    )
    assert [day.game for day in of_dice] == ["dice"]
