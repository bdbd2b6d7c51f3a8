"""Limits of connections: which one makes room, what it gets before, how long it may be idle."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from server.bounds import Bounds
from server.http_connection import PIPELINED_MAX
from server.peer import peer_of
from tests.unit.http_table import HOST, bet, get, in_chunks
from tests.unit.http_wire import Connections, FakeTransport, answers, connections, cuts

LONG = 3_600
ANSWER = b'{"_responseCode":1}'


#: For three connections.
SMALL = Bounds(
    connections_max=3,
    arrives_within_seconds=LONG,
    keep_alive_seconds=LONG,
    known_keep_alive_seconds=LONG,
)


class Held:
    """An app that answers when the test lets it. At /signed it knows who asks."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        await self.may_answer.wait()
        if scope["path"] == "/signed":
            peer_of(scope).note(b"a provider")
        headers = [(b"content-length", b"%d" % len(ANSWER))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})


def statuses(transport: FakeTransport) -> list[int]:
    return [status for status, _ in answers(bytes(transport.written))]


@pytest.fixture
def held() -> Held:
    return Held()


@pytest_asyncio.fixture
async def small(held: Held) -> AsyncIterator[Connections]:
    to = Connections(held, SMALL)
    yield to
    held.may_answer.set()
    await to.settle()


SIGNED = get(line=b"GET /signed HTTP/1.1\r\n")


async def test_when_full_the_one_idle_longest_is_closed_and_strangers_first(
    small: Connections,
) -> None:
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(small.open()) for _ in range(3)]
        for number, sent in ((0, SIGNED), (2, get()), (1, get())):
            opened[number][0].data_received(sent)
            await small.settle()

        order = []
        for _ in range(3):
            await stack.enter_async_context(small.open())
            gone = [number for number, (_, transport) in enumerate(opened) if transport.ended]
            order += [number for number in gone if number not in order]

        # Of the three, two are strangers; after them those come that were opened since.
        assert order == [2, 1]
        assert not opened[0][1].ended


async def test_the_known_one_that_is_idle_longest_is_closed_when_all_are_known(
    small: Connections,
) -> None:
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(small.open()) for _ in range(3)]
        for number in (1, 2, 0, 2):
            opened[number][0].data_received(SIGNED)
            await small.settle()

        await stack.enter_async_context(small.open())

        assert [transport.ended for _, transport in opened] == [False, True, False]


@pytest.mark.parametrize(
    "begun",
    [b"G", get()[:-2], in_chunks(b"5"), get(b"Content-Length: 5") + b"a", get()],
    ids=["a byte", "a head", "chunks", "a body", "worked on"],
)
async def test_who_is_in_the_middle_of_a_request_is_never_closed_for_another(
    small: Connections, held: Held, begun: bytes
) -> None:
    held.may_answer.clear()
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(small.open()) for _ in range(3)]
        for protocol, _ in opened:
            protocol.data_received(begun)
        await asyncio.sleep(0)
        _, late = await stack.enter_async_context(small.open())
        await asyncio.sleep(0)

        assert not any(transport.ended for _, transport in opened)
        [(status, body)] = answers(bytes(late.written))
        assert (status, json.loads(body)["_responseCode"], late.ended) == (503, 99, True)
        assert len(small.state.connections) == 3


async def test_a_connection_rests_for_seconds_and_for_longer_once_a_signature_was_good() -> None:
    async with connections() as to, to.open() as (stranger, _), to.open() as (known, _):
        stranger.data_received(bet(sign="0" * 64))
        known.data_received(bet())
        await to.settle()

        now = asyncio.get_running_loop().time()
        left = [
            one.idle_timer.when() - now if one.idle_timer else None for one in (stranger, known)
        ]

    assert left[0] is not None
    assert left[1] is not None
    assert left[0] <= 5 < 70 <= left[1]


async def test_who_rests_for_longer_than_it_may_is_closed(held: Held) -> None:
    hurried = replace(SMALL, keep_alive_seconds=0, known_keep_alive_seconds=0.2)
    to = Connections(held, hurried)
    async with to.open() as (known, known_transport), to.open() as (stranger, stranger_transport):
        known.data_received(SIGNED)
        stranger.data_received(get())
        await stranger_transport.end()
        for _ in range(3):
            known.data_received(SIGNED)
            await to.settle()

        await known_transport.end()
        assert statuses(known_transport) == [200] * 4


@pytest.mark.parametrize("cut", [1, 7, len(get()) - 1, 16 * 1024])
async def test_as_many_as_may_be_sent_ahead_are_answered_however_they_are_cut(
    small: Connections, held: Held, cut: int
) -> None:
    held.may_answer.clear()
    sent = get() * (1 + PIPELINED_MAX)
    async with small.open() as (protocol, transport):
        parts = [sent[at : at + cut] for at in range(0, len(sent), cut)]
        while parts:
            if transport.paused:
                held.may_answer.set()
                await small.settle()
                continue
            protocol.data_received(parts.pop(0))
            await asyncio.sleep(0)
        held.may_answer.set()
        await small.settle()

        assert statuses(transport) == [200] * (1 + PIPELINED_MAX)
        assert not transport.ended


async def test_who_sends_more_ahead_is_answered_as_many_and_then_told(
    small: Connections, held: Held
) -> None:
    held.may_answer.clear()
    async with small.open() as (protocol, transport):
        protocol.data_received(get() * (2 + PIPELINED_MAX))
        held.may_answer.set()
        await small.settle()

        assert statuses(transport) == [200] * (1 + PIPELINED_MAX) + [429]
        assert transport.ended


@pytest.mark.parametrize(
    "parts", [[get() + b"no HTTP\r\n\r\n"], *list(cuts(get() + b"x\r\n\r\n"))[::9]]
)
async def test_what_is_worked_on_is_answered_before_the_connection_ends_for_what_came_behind(
    small: Connections, held: Held, parts: list[bytes]
) -> None:
    held.may_answer.clear()
    async with small.open() as (protocol, transport):
        for part in parts:
            protocol.data_received(part)
            await asyncio.sleep(0)
        assert statuses(transport) == []
        held.may_answer.set()
        await small.settle()

        assert statuses(transport) == [200, 400]
        assert transport.ended


async def test_who_sends_all_and_says_that_it_sends_no_more_is_answered(
    small: Connections, held: Held
) -> None:
    held.may_answer.clear()
    async with small.open() as (protocol, transport):
        protocol.data_received(get() + get())
        await asyncio.sleep(0)
        assert protocol.eof_received()
        held.may_answer.set()
        await small.settle()

        assert statuses(transport) == [200, 200]
        assert transport.ended


@pytest.mark.parametrize(
    "sent",
    [b"GET /", get()[:-1], get(b"Content-Length: 5") + b"a", in_chunks(b"5", b"abcde", b"0")],
)
async def test_what_ends_in_the_middle_of_a_request_is_400(small: Connections, sent: bytes) -> None:
    outcome = await small.ask([get() + sent], end=True)

    assert [status for status, _ in outcome.answers] == [200, 400]
    assert outcome.ended


async def test_a_body_that_does_not_come_is_99_in_time(held: Held) -> None:
    to = Connections(held, replace(SMALL, body_arrives_within_seconds=0.05))
    async with to.open() as (protocol, transport):
        protocol.data_received(get(b"Content-Length: 5") + b"a")
        await transport.end()

        [(status, body)] = answers(bytes(transport.written))
        assert (status, json.loads(body)["_responseCode"]) == (503, 99)


async def test_trailer_fields_without_end_take_no_memory_and_no_header_field(
    small: Connections,
) -> None:
    async with small.open() as (protocol, transport):
        protocol.data_received(in_chunks(b"0"))
        sent = 0
        while not transport.ended:
            protocol.data_received(b"a:b\r\n")
            sent += 1
            assert sent <= 101
        assert statuses(transport) == [431]


async def test_a_host_field_alone_is_no_request(small: Connections) -> None:
    outcome = await small.ask([HOST, b"\r\n"])

    assert [status for status, _ in outcome.answers] == [400]
