"""HTTP/1.1 as bytes: connections, bodies in chunks, and what is not HTTP."""

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from betcore_kit.conformance.case import Broken, case, ensure, table
from betcore_kit.conformance.cases.authentication import WRONG, a_bet
from betcore_kit.conformance.stage import Session, Stage
from betcore_kit.conformance.wire import RIGHT, How
from betcore_kit.signing import SIGN

HTTP = "_responseCode and HTTP status"
ENDPOINTS = "Endpoints"
http = partial(case, "http")


def head(at: Stage, method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request, without the empty line."""
    place = urlsplit(at.wire.url)
    lines = [f"{method} {place.path}{path} HTTP/1.1", f"Host: {place.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "".join(f"{line}\r\n" for line in lines).encode()


def bet(at: Stage, session: Session, body: bytes, *more: str, how: How = RIGHT) -> bytes:
    """Return a signed pay-in-out, without its body."""
    headers = how.headers(session.provider.identity, body)
    lines = "".join(f"{line}\r\n" for line in (*more, "")).encode()
    return head(at, "POST", session.path("pay-in-out"), headers) + lines


def length(body: bytes) -> str:
    """Return the header that announces a body."""
    return f"Content-Length: {len(body)}"


def chunks(*parts: bytes) -> bytes:
    """Return a body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


@http(ENDPOINTS)
async def every_answer_is_json(at: Stage) -> None:
    """Success and refusal are `application/json; charset=utf-8`, and JSON objects."""
    session = await at.session()
    (await session.ask_balance()).expect(1)
    (await session.post("pay-in", b"{}")).expect(2)
    (await at.wire.send("GET", "/v1/nothing")).expect(2, 404)


@http(ENDPOINTS)
async def the_content_type_of_a_request_does_not_matter(at: Stage) -> None:
    """A request may say that it is `text/plain`, or not say what it is."""
    session = await at.session()
    for more in ({"Content-Type": "text/plain"}, {}):
        (await session.post("pay-in-out", a_bet(), How(more=more))).expect(1)
    (await session.ask_balance(How(more={"Content-Type": "text/plain"}))).expect(1)


@http(HTTP)
async def the_names_of_headers_may_have_any_case(at: Stage) -> None:
    """The four headers are known in lower case and in upper case."""
    session, body = await at.session(), a_bet()
    line, *fields = bet(at, session, body, length(body)).decode("latin-1").split("\r\n")
    for change in (str.lower, str.upper):
        parts = [field.partition(":") for field in fields]
        other = [line, *("".join((change(name), *value)) for name, *value in parts)]
        [answer] = await at.wire.raw("\r\n".join(other).encode("latin-1"), body)
        answer.expect(*((1,) if change is str.lower else (0, 409)))


@http(HTTP)
async def a_connection_serves_many_requests(at: Stage) -> None:
    """Requests on one connection are answered in their order, also if they are sent ahead."""
    session, bodies = await at.session(), [a_bet() for _ in range(4)]
    sent = b"".join(bet(at, session, body, length(body)) + body for body in bodies)
    answers = await at.wire.raw(sent, answers=4)
    told = [answer.expect(1).amount("balance") for answer in answers]
    ensure(told == sorted(told, reverse=True), f"The answers are not in order: {told}")


@http(HTTP)
async def a_refusal_does_not_end_the_connection(at: Stage) -> None:
    """A request that is refused with 401 or 402 leaves its connection to the next one."""
    session, body = await at.session(), a_bet()
    wrong = bet(at, session, body, length(body), how=How(secret=WRONG)) + body
    unread = bet(at, session, b"[]", length(b"[]")) + b"[]"
    good = bet(at, session, body, length(body)) + body
    answers = await at.wire.raw(wrong, unread, good, answers=3)
    for answer, code in zip(answers, (8, 2, 1), strict=True):
        answer.expect(code)


@http(HTTP)
async def a_body_may_come_in_chunks(at: Stage) -> None:
    """A body in chunks is read, and its signature is that of the whole body."""
    session, body = await at.session(), a_bet()
    sent = bet(at, session, body, "Transfer-Encoding: chunked")
    [answer] = await at.wire.raw(sent, chunks(body[:5]), chunks(body[5:]), b"0\r\n\r\n")
    answer.expect(1)


@http(HTTP)
async def a_body_in_chunks_has_a_limit(at: Stage) -> None:
    """A body in chunks above 16 KiB is 413 with code 2."""
    session, body = await at.session(), b"x" * (16 * 1024 + 1)
    sent = bet(at, session, body, "Transfer-Encoding: chunked")
    [answer] = await at.wire.raw(sent, chunks(body), b"0\r\n\r\n")
    answer.expect(2, 413)


@http(HTTP)
async def trailer_fields_are_ignored(at: Stage) -> None:
    """A signature that comes after the body, as a trailer field, is none: 401 with code 8."""
    session, body = await at.session(), a_bet()
    right = How().headers(session.provider.identity, body)
    sign = right.pop(SIGN)
    top = (
        head(at, "POST", session.path("pay-in-out"), right) + b"Transfer-Encoding: chunked\r\n\r\n"
    )
    trailer = f"0\r\n{SIGN}: {sign}\r\n\r\n".encode()
    [answer] = await at.wire.raw(top, chunks(body), trailer)
    answer.expect(8)


@http(HTTP)
async def expect_100_continue_is_met(at: Stage) -> None:
    """A client that waits for `100 Continue` before it sends a body is told to go on."""
    session, body = await at.session(), a_bet()
    sent = bet(at, session, body, length(body), "Expect: 100-continue")
    first, *more = await at.wire.raw(sent, body, answers=2, in_turn=True)
    if first.status != 100:
        raise Broken(f"Expected HTTP 100, but got {first.status}.")
    more[0].expect(1)


#: What is no HTTP/1.1. Name, what it is, and its bytes.
MALFORMED = [
    ("bytes_that_are_no_http", "Bytes that are no HTTP are", b"hello\r\n\r\n"),
    ("a_request_without_a_host", "A request without `Host` is", b"GET /v1/bets HTTP/1.1\r\n\r\n"),
    (
        "a_header_without_a_colon",
        "A header without a colon is",
        b"GET /v1/bets HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    ),
    (
        "two_lengths_that_differ",
        "A request with two different lengths is",
        b"POST /v1/bets HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ),
    (
        "a_length_that_is_no_number",
        "A request whose length is no number is",
        b"POST /v1/bets HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
    ),
    (
        "an_unreadable_chunk",
        "A body with an unreadable chunk is",
        b"POST /v1/bets HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
    ),
]


async def _is_400(sent: bytes, at: Stage) -> None:
    [answer] = await at.wire.raw(sent)
    answer.expect(2, 400)


for _name, _what, _sent in MALFORMED:
    _promise = f"{_what} 400 with code 2, and JSON like every other answer."
    table("http", HTTP, f"{_name}_is_400", _promise, partial(_is_400, _sent))
