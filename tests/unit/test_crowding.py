"""What a gateway turns away without asking: a share, a crowd, and more of one session than fit."""

import asyncio

import pytest

from api.crowding import Crowding
from api.intake import Intake
from settings import Settings
from tests.unit.gateway_parts import PLACE, gateway_parts

BODY = b'{"betId":"a","betAmount":1,"winAmount":0}'
SETTINGS = Settings(loop_lag_max_seconds=0.5, requests_in_flight_max=5, bets_of_session_max=4)


def turned_away(crowding: Crowding, now: float, of: int = 300) -> int:
    return sum(crowding.turns_away(now) for _ in range(of))


def test_it_turns_away_the_share_that_redis_named() -> None:
    crowding = Crowding(SETTINGS)

    assert turned_away(crowding, 0) == 0
    for thousandths, expected in ((333, 99), (0, 0), (1000, 300), (500, 150)):
        crowding.note(thousandths, 7)
        assert abs(turned_away(crowding, 7) - expected) <= 1


def test_what_redis_said_counts_for_a_moment() -> None:
    crowding = Crowding(SETTINGS)
    crowding.note(1000, 7)

    assert crowding.turns_away(7.049)
    assert not crowding.turns_away(7.051)


def test_the_share_grows_with_the_lag_of_the_loop() -> None:
    crowding = Crowding(SETTINGS)

    for lag, expected in ((0.25, 0), (7.0, 300), (0.375, 150), (0.5, 300), (0.0, 0)):
        crowding.note_lag(lag)
        assert abs(turned_away(crowding, 0) - expected) <= 1


async def test_the_share_grows_with_the_wait_of_the_first_who_is_not_looked_at_yet() -> None:
    crowding = Crowding(SETTINGS)
    loop = asyncio.get_running_loop()
    entering = [
        asyncio.create_task(crowding.intake.enter())
        for _ in range(SETTINGS.admissions_per_script_max + 1)
    ]
    await asyncio.sleep(0)

    came = loop.time()
    assert crowding.intake.waited(came + 0.3) >= 0.3
    for waited, expected in ((0.15, 0), (0.375, 150), (0.6, 300)):
        assert abs(turned_away(crowding, came + waited) - expected) <= 15

    await asyncio.gather(*entering)
    assert turned_away(crowding, came + 0.375) == 0


def test_a_session_has_enough_when_so_many_of_its_bets_are_under_way_and_no_other_has() -> None:
    crowding = Crowding(SETTINGS)
    for session in ("a", "a", "a", "a"):
        assert not crowding.has_enough(session, 0)
        crowding.count_in(session)

    assert crowding.has_enough("a", 0)
    assert not crowding.has_enough("b", 0)
    crowding.count_off("a")
    assert not crowding.has_enough("a", 0)


def test_while_it_is_crowded_a_session_may_have_an_eighth_of_that() -> None:
    crowding = Crowding(SETTINGS.model_copy(update={"bets_of_session_max": 16}))
    for _ in range(2):
        crowding.count_in("a")

    assert not crowding.has_enough("a", 7)
    crowding.note(99, 7)
    assert not crowding.has_enough("a", 7)
    crowding.note(100, 7)
    assert crowding.has_enough("a", 7)
    assert not crowding.has_enough("b", 7)


def test_even_when_it_is_crowded_a_session_may_have_one_bet() -> None:
    crowding = Crowding(SETTINGS)
    crowding.note(1000, 7)

    assert not crowding.has_enough("a", 7)
    crowding.count_in("a")
    assert crowding.has_enough("a", 7)


def test_when_as_many_are_under_way_as_may_be_all_are_turned_away() -> None:
    crowding = Crowding(SETTINGS)
    for session in ("a", "b", "c", "b", "c"):
        assert not crowding.full
        crowding.count_in(session)

    assert crowding.full
    assert crowding.turns_away(0)
    crowding.count_off("b")
    assert not crowding.full
    assert not crowding.turns_away(0)


async def test_so_many_are_let_in_at_a_turn_and_in_the_order_in_which_they_came() -> None:
    intake, let_in = Intake(per_turn=3), list[int]()

    async def come(number: int) -> None:
        await intake.enter()
        let_in.append(number)

    tasks = [asyncio.create_task(come(number)) for number in range(10)]
    most, before = 0, 0
    while len(let_in) < len(tasks):
        await asyncio.sleep(0)
        most, before = max(most, len(let_in) - before), len(let_in)

    assert let_in == [*range(10)]
    assert most == 3
    await asyncio.gather(*tasks)


async def test_who_gave_up_waiting_keeps_nobody_out() -> None:
    intake = Intake(per_turn=1)
    first, second, third = (asyncio.create_task(intake.enter()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()

    await asyncio.wait_for(third, 10)

    assert first.done()
    assert second.cancelled()
    assert intake.waited(asyncio.get_running_loop().time()) == 0


async def test_a_request_is_counted_when_it_came_and_looked_at_when_it_is_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, let_in = asyncio.Event(), asyncio.Event()

    async def enter() -> None:
        entered.set()
        await let_in.wait()

    async with gateway_parts(bets_of_session_max=1) as gateway:
        crowding = gateway.crowding
        monkeypatch.setattr(crowding.intake, "enter", enter)
        posted = asyncio.create_task(gateway.post(BODY))
        await asyncio.wait_for(entered.wait(), 10)

        assert crowding.has_enough(PLACE.session_id, 0)
        assert not gateway.nonces()
        let_in.set()

        assert (await posted).json()["_responseCode"] == 1
        assert len(gateway.nonces()) == 1
        assert not crowding.has_enough(PLACE.session_id, 0)


async def test_of_many_bets_of_one_session_that_come_at_once_no_more_than_may_be_are_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_in = asyncio.Event()
    async with gateway_parts(bets_of_session_max=2) as gateway:
        monkeypatch.setattr(gateway.crowding.intake, "enter", let_in.wait)
        bodies = [b'{"betId":"%d","betAmount":1,"winAmount":0}' % bet for bet in range(5)]
        posted = [asyncio.create_task(gateway.post(body)) for body in bodies]
        ended = asyncio.as_completed(posted)

        assert [(await next(ended)).json()["_responseCode"] for _ in range(3)] == [99, 99, 99]
        let_in.set()
        assert [(await one).json()["_responseCode"] for one in ended] == [1, 1]

        assert len(gateway.nonces()) == 2
