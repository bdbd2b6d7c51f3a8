"""The order in which a gateway reads requests, and how many of them count as in progress."""

import asyncio
import threading

import pytest

from api.wallet.intake import STRANGERS, Intake
from tests.unit.gateway_parts import PLACE, gateway_parts
from tests.unit.test_load_shedding import BODY, GREAT, OURS, SMALL


async def test_so_many_are_let_in_at_a_turn_and_in_the_order_in_which_they_came() -> None:
    intake, let_in = Intake(per_turn=3), list[int]()

    async def come(number: int) -> None:
        await intake.enter(STRANGERS)
        let_in.append(number)

    tasks = [asyncio.create_task(come(number)) for number in range(10)]
    most, before = 0, 0
    while len(let_in) < len(tasks):
        await asyncio.sleep(0)
        most, before = max(most, len(let_in) - before), len(let_in)

    assert let_in == [*range(10)]
    assert most == 3
    await asyncio.gather(*tasks)


async def test_each_lane_is_let_in_in_turn_however_many_wait_in_another() -> None:
    intake, let_in = Intake(per_turn=2), list[bytes]()

    async def come(lane: bytes) -> None:
        await intake.enter(lane)
        let_in.append(lane)

    lanes = [STRANGERS] * 50 + [GREAT] * 20 + [SMALL]
    await asyncio.gather(*(come(lane) for lane in lanes))

    assert let_in.index(SMALL) <= 2 + 3
    assert let_in[:42].count(GREAT) >= 18


async def test_how_long_one_more_will_wait_is_known_before_the_first_has_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, now = asyncio.get_running_loop(), 0.0
    monkeypatch.setattr(loop, "time", lambda: now)
    intake = Intake(per_turn=2)

    def come(number: int, lane: bytes) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(intake.enter(lane)) for _ in range(number)]

    before = come(1000, GREAT)
    while not intake.is_empty or not before[0].done():
        await asyncio.sleep(0)
        now += 0.2  # per turn of two
    await asyncio.gather(*before)
    assert intake.wait_of(GREAT, now) == 0
    few = come(2 + 1, GREAT)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    now += 100  # nobody waited any more, so this time tells nothing
    await asyncio.gather(*few)

    waiting = come(2 + 10, GREAT) + come(1, SMALL)
    await asyncio.sleep(0)
    assert 0.8 < intake.wait_of(GREAT, now) <= 1.1  # at a tenth of a second each
    assert intake.wait_of(SMALL, now) <= 0.25  # it has a lane of its own
    assert intake.wait_of(GREAT, now + 3) == 3  # the first has waited for longer than expected
    await asyncio.gather(*waiting)


async def test_who_gave_up_waiting_keeps_nobody_out() -> None:
    intake = Intake(per_turn=1)
    first, second, third = (asyncio.create_task(intake.enter(STRANGERS)) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()

    await asyncio.wait_for(third, 10)

    assert first.done()
    assert second.cancelled()
    assert intake.is_empty


async def test_a_request_is_looked_at_and_counts_once_it_is_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, let_in, counted = asyncio.Event(), asyncio.Event(), list[bool]()

    async def enter(_: bytes) -> None:
        entered.set()
        await let_in.wait()

    async with gateway_parts(bets_of_session_max=1) as gateway:
        shedder = gateway.load_shedder
        monkeypatch.setattr(shedder.intake, "enter", enter)
        become = gateway.link.becomes

        def note() -> object:
            counted.append(shedder.session_is_full(OURS, PLACE.session_id, 0))
            return become()

        monkeypatch.setattr(gateway.link, "becomes", note)
        posted = asyncio.create_task(gateway.post(BODY))
        await asyncio.wait_for(entered.wait(), 10)

        assert not shedder.session_is_full(OURS, PLACE.session_id, 0)
        assert not gateway.nonces()
        let_in.set()

        assert (await posted).json()["_responseCode"] == 1
        assert counted == [True]
        assert len(gateway.nonces()) == 1
        assert not shedder.session_is_full(OURS, PLACE.session_id, 0)


async def test_of_many_bets_of_one_session_no_more_than_may_be_are_let_in_and_no_nonce_is_burnt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway_parts(bets_of_session_max=2) as gateway:
        found, look_up = asyncio.Event(), gateway.sessions.place

        async def place(*question: object) -> object:
            await found.wait()
            return await look_up(*question)  # type: ignore[arg-type]

        monkeypatch.setattr(gateway.sessions, "place", place)
        bodies = [b'{"betId":"%d","betAmount":1,"winAmount":0}' % bet for bet in range(5)]
        posted = [asyncio.create_task(gateway.post(body)) for body in bodies]
        ended = asyncio.as_completed(posted)

        assert [(await next(ended)).json()["_responseCode"] for _ in range(3)] == [99, 99, 99]
        found.set()
        assert [(await one).json()["_responseCode"] for one in ended] == [1, 1]

        assert len(gateway.nonces()) == 2


async def test_requests_without_a_good_signature_keep_no_bet_out_and_delay_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any number of them wait for newer secrets. A bet whose secret is known does not wait."""
    limits = {"bets_of_session_max": 1, "requests_in_flight_max": 1}
    async with gateway_parts(directory_max_age_seconds=3600, **limits) as gateway:
        assert (await gateway.post(BODY)).status_code == 200
        asked, may_answer = asyncio.Event(), threading.Event()
        loop, read = asyncio.get_running_loop(), gateway.behind.directory

        def directory() -> object:
            loop.call_soon_threadsafe(asked.set)
            may_answer.wait(60)
            return read()

        monkeypatch.setattr(gateway.behind, "directory", directory)
        try:
            forged = [
                asyncio.create_task(gateway.post(BODY, sign="0" * 64, **claimed))
                for claimed in ({}, {"counterparty": "nobody"})
                for _ in range(100)
            ]
            await asyncio.wait_for(asked.wait(), 30)

            for bet in range(5):
                body = b'{"betId":"%d","betAmount":1,"winAmount":0}' % bet
                assert (await gateway.post(body)).json()["_responseCode"] == 1
            assert not any(one.done() for one in forged)
        finally:
            may_answer.set()
        assert {one.status_code for one in await asyncio.gather(*forged)} == {401}
        assert len(gateway.nonces()) == 6
