"""HTTP by the book: every row of the table has one outcome, wherever the network cuts it."""

import json
from collections.abc import Iterable, Sequence

import h11
import pytest

from tests.unit.http_table import KIB, LONG_ROWS, ROWS, Row
from tests.unit.http_wire import Connections, Outcome, bytewise, connections, cuts


def expected(row: Row, outcome: Outcome) -> Outcome:
    """The outcome, if it is the one of the row."""
    answers = [(status, code_of(body)) for status, body in outcome.answers if status != 100]

    assert (tuple(answers), outcome.ended) == (row.answers, row.ended), outcome
    return outcome


def code_of(body: bytes) -> int:
    """The `_responseCode`, or 0 if there is no body."""
    return int(json.loads(body)["_responseCode"]) if body else 0


async def assert_the_same(to: Connections, row: Row, ways: Iterable[Sequence[bytes]]) -> None:
    """Wherever the bytes are cut, the client sees the same answer as to one piece."""
    whole = expected(row, await to.ask([row.sent]))

    for parts in ways:
        assert await to.ask(parts) == whole, f"in parts of {[len(part) for part in parts]} bytes"


def test_no_two_rows_have_one_name() -> None:
    assert len({row.name for row in [*ROWS, *LONG_ROWS]}) == len([*ROWS, *LONG_ROWS])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_row_has_one_outcome_wherever_it_is_cut(row: Row) -> None:
    # A signature that fails is looked at again with newer secrets, which takes its time.
    every = 40 if (401, 8) in row.answers else 7 if len(row.sent) > 600 else 1
    ways = [*list(cuts(row.sent))[::every], bytewise(row.sent)]

    async with connections() as to:
        await assert_the_same(to, row, ways)


@pytest.mark.parametrize("row", LONG_ROWS, ids=lambda row: row.name)
async def test_a_limit_is_exact_wherever_the_bytes_are_cut(row: Row) -> None:
    near = {8 * KIB, len(row.sent) // 2, len(row.sent) - 1}
    near |= {16 * KIB + by for by in range(-2, 3)}
    near |= {row.sent.find(b"\r\n\r\n") + by for by in range(5)}
    ways = [(row.sent[:at], row.sent[at:]) for at in sorted(near) if 0 < at < len(row.sent)]

    async with connections() as to:
        await assert_the_same(to, row, ways)
        await assert_the_same(to, row, [bytewise(row.sent)])


#: h11 gives a target as it was sent, knows no HTTP/1.2 and no list with an empty element.
UNLIKE_H11 = (b"://", b"http/1.2", b", chunked")
ACCEPTED = [
    row
    for row in ROWS
    if not row.ended
    and len(row.answers) == 1
    and not any(text in row.sent.lower() for text in UNLIKE_H11)
]


@pytest.mark.parametrize("row", ACCEPTED, ids=lambda row: row.name)
async def test_what_is_read_is_what_another_parser_reads(row: Row) -> None:
    async with connections() as to:
        await to.ask([row.sent])

    [seen] = to.seen
    server = h11.Connection(h11.SERVER)
    server.receive_data(row.sent.removeprefix(b"\r\n"))
    request, body = server.next_event(), b""
    assert isinstance(request, h11.Request)
    while not isinstance(event := server.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data)
        body += event.data
    assert (seen.method.encode(), seen.target) == (request.method, request.target)
    lengths = b"content-length", b"transfer-encoding"  # h11 makes them canonical
    theirs = [(name, value) for name, value in request.headers if name not in lengths]
    assert [(name, value) for name, value in seen.fields if name not in lengths] == theirs
    assert body.startswith(seen.body)
    assert seen.body in (body, b"")
