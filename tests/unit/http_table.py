"""The table of docs/adr/0014: each row has what is sent and how it is answered."""

from dataclasses import dataclass

from tests.unit.gateway_parts import CLIENT, PLACE

LINE = b"GET /healthz HTTP/1.1\r\n"
HOST = b"Host: h\r\n"
BODY = b'{"betId":"a","betAmount":1,"winAmount":0}'
BETS = f"/v1/sessions/{PLACE.session_id}/bets/pay-in-out".encode()
FINE = (200, 1)
KIB = 1024


@dataclass(frozen=True)
class Row:
    """Some bytes of one client, and every answer to them: status and code."""

    name: str
    sent: bytes
    answers: tuple[tuple[int, int], ...]
    ended: bool  # whether we end the connection


def fine(name: str, sent: bytes, *answers: tuple[int, int]) -> Row:
    """A request that is read, after which the connection stays open."""
    return Row(name, sent, answers or (FINE,), ended=False)


def last(name: str, sent: bytes, *answers: tuple[int, int]) -> Row:
    """A request that is read, after which the connection is closed."""
    return Row(name, sent, answers or (FINE,), ended=True)


def refused(status: int, name: str, sent: bytes, code: int = 2) -> Row:
    """A request that is refused, after which the connection is closed."""
    return Row(name, sent, ((status, code),), ended=True)


def get(*fields: bytes, line: bytes = LINE, host: bytes = HOST) -> bytes:
    """A request without a body."""
    return b"".join((line, host, *(text + b"\r\n" for text in fields), b"\r\n"))


def target(path: bytes, method: bytes = b"GET") -> bytes:
    """A request for this target."""
    return get(line=b"%b %b HTTP/1.1\r\n" % (method, path))


def bet(*fields: bytes, body: bytes = BODY, path: bytes = BETS, **changed: str) -> bytes:
    """A signed PayInOut, its length announced; `changed` as in `ProviderClient.headers`."""
    return bet_head(b"Content-Length: %d" % len(body), *fields, path=path, **changed) + body


def bet_head(*fields: bytes, path: bytes = BETS, left_out: str = "", **changed: str) -> bytes:
    """The head of a signed PayInOut without the signed header `left_out`."""
    headers = CLIENT.headers(BODY, **changed)
    signed = [f"{name}: {value}".encode() for name, value in headers.items() if name != left_out]
    return get(*signed, *fields, line=b"POST %b HTTP/1.1\r\n" % path)


def in_chunks(*lines: bytes, coding: bytes = b"chunked") -> bytes:
    """A request with a body in chunks: lines, each with CR LF, as they are sent."""
    head = get(b"Transfer-Encoding: " + coding, line=b"POST /healthz HTTP/1.1\r\n")
    return head + b"".join(line + b"\r\n" for line in lines)


def head_of(size: int) -> bytes:
    """A request whose head has that many bytes."""
    return get(b"X: " + b"x" * (size - len(get(b"X: "))))


CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
CHUNKED = b"Transfer-Encoding: chunked"
GONE = (405, 2)  # what a POST to /healthz is answered, once it is read
SIGN = f"X-Sign: {CLIENT.headers(BODY)['X-Sign']}".encode()


def signature_in_the_trailer() -> bytes:
    """A request whose X-Sign, which is right, comes after the last chunk."""
    headers = CLIENT.headers(BODY)
    stamp, nonce = headers["X-Timestamp"], headers["X-Request-Id"]
    head = bet_head(CHUNKED, left_out="X-Sign", timestamp=stamp, nonce=nonce)
    return head + CHUNK + f"0\r\nX-Sign: {headers['X-Sign']}\r\n\r\n".encode()


REQUEST_LINES = [
    refused(400, "HTTP/0.9", b"GET /healthz\r\n"),
    refused(400, "HTTP/2.0", b"GET /healthz HTTP/2.0\r\n"),
    refused(400, "HTTP/2 with a preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    refused(400, "HTTP/9.9", b"GET / HTTP/9.9\r\n"),
    refused(400, "HTTP in lower case", b"GET /healthz http/1.1\r\n"),
    refused(400, "HTTP/1.10", b"GET /healthz HTTP/1.10\r\n"),
    fine("HTTP/1.2 is read as HTTP/1.1", get(line=b"GET /healthz HTTP/1.2\r\n")),
    last("HTTP/1.0", get(line=b"GET /healthz HTTP/1.0\r\n")),
    last("HTTP/1.0 without Host", get(line=b"GET /healthz HTTP/1.0\r\n", host=b"")),
    refused(400, "two spaces", b"GET  /healthz HTTP/1.1\r\n"),
    refused(400, "a tab for a space", b"GET\t/healthz HTTP/1.1\r\n"),
    refused(400, "a space at the end", b"GET /healthz HTTP/1.1 \r\n"),
    refused(400, "a space at the beginning", b" GET /healthz HTTP/1.1\r\n"),
    refused(400, "a method that is no token", b"G(T /healthz HTTP/1.1\r\n"),
    refused(400, "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    refused(400, "no HTTP at all", b"hello\r\n"),
    refused(400, "a line that ends with LF alone", b"GET /healthz HTTP/1.1\n"),
    refused(400, "a CR within a line", b"GET /healthz\r HTTP/1.1\r\n"),
    refused(400, "a NUL", b"GET /heal\x00thz HTTP/1.1\r\n"),
    fine("an empty line before it", b"\r\n" + get()),
    refused(400, "only empty lines", b"\r\n" * 9),
    fine("a method that nobody knows", target(b"/healthz", b"BREW"), GONE),
    fine("a method in lower case", target(b"/healthz", b"get"), GONE),
    fine("HEAD", target(b"/healthz", b"HEAD"), (200, 0)),
]

TARGETS = [
    fine("origin-form with a query", target(b"/healthz?a=b%20c&d")),
    fine("absolute-form", target(b"http://example.com:80/healthz?a")),
    fine("absolute-form in capitals", target(b"HTTP://EXAMPLE.COM/healthz")),
    fine("absolute-form without a path", target(b"http://example.com"), (404, 2)),
    refused(400, "absolute-form without a host", target(b"http:///healthz")),
    refused(400, "absolute-form with a user", target(b"http://user@example.com/healthz")),
    refused(400, "absolute-form of another scheme", target(b"ftp://example.com/healthz")),
    refused(400, "absolute-form with a fragment", target(b"http://example.com/healthz#a")),
    refused(400, "authority-form", target(b"elsewhere:80")),
    refused(405, "authority-form of CONNECT", target(b"elsewhere:80", b"CONNECT")),
    fine("asterisk-form of OPTIONS", target(b"*", b"OPTIONS"), (404, 2)),
    refused(400, "asterisk-form", target(b"*")),
    refused(400, "neither", target(b"healthz")),
    refused(400, "a fragment", target(b"/healthz#a")),
    refused(400, "a percent sign alone", target(b"/healthz%")),
    refused(400, "a percent sign and no digits", target(b"/healthz?a=%zz")),
    refused(400, "bytes that are not ASCII", target("/h\u00e4lthz".encode())),
    refused(400, "a backslash", target(b"/healthz\\")),
    refused(400, "a brace", target(b"/healthz?{}")),
    fine("dot segments are names", target(b"/v1/../healthz"), (404, 2)),
    fine("encoded dot segments too", target(b"/v1/%2e%2e/healthz"), (404, 2)),
    fine("an encoded slash separates nothing", target(b"/%2Fhealthz"), (404, 2)),
    fine("two slashes are not one", target(b"//healthz"), (404, 2)),
    fine("an encoded letter is that letter", target(b"/health%7a")),
    fine("an encoded NUL is no end", target(b"/healthz%00"), (404, 2)),
    fine("a bet past an encoded slash", bet(path=BETS.replace(b"/pay", b"%2fpay")), (404, 2)),
    fine("a slash in a session", bet(path=BETS.replace(b"a-s", b"a%2Fs")), (404, 2)),
    fine("a NUL in a session", bet(path=BETS.replace(b"a-s", b"a%00s")), (402, 3)),
]

FIELDS = [
    fine("space around a value", bet(b"Content-Type:  \t text/plain \t ")),
    fine("no space before a value", get(b"A:b")),
    fine("an empty value", get(b"A:", b"B: ")),
    fine("a value in Latin-1", get(b"A: \xe4")),
    fine("names in any case", get(b"a: b", host=b"hOST: h\r\n")),
    refused(400, "a name that is no token", get(b"A(: b")),
    refused(400, "no name", get(b": b")),
    refused(400, "no colon", get(b"A b")),
    refused(400, "space before the colon", get(b"A : b")),
    refused(400, "a line that goes on", get(b"A: b", b" c")),
    refused(400, "space before the first field", get(host=b" Host: h\r\n")),
    refused(400, "LF alone between fields", get(b"A: b\nC: d")),
    refused(400, "LF alone at the end", LINE + b"Host: h\r\n\n"),
    refused(400, "CR alone in a value", get(b"A: b\rC: d")),
    refused(400, "CR twice at the end of a line", get(b"A: b\r")),
    refused(400, "a NUL in a value", get(b"A: b\x00")),
    refused(400, "an escape character in a value", get(b"A: \x1b[2J")),
    fine("100 fields", get(*[b"A: b"] * 99)),
    refused(431, "101 fields", get(*[b"A: b"] * 100)),
    fine("a header field that is there twice", get(b"A: b", b"A: c")),
]

MESSAGES = [
    refused(400, "no Host", get(host=b"")),
    refused(400, "two Host fields", get(host=HOST * 2)),
    refused(400, "two Host fields of HTTP/1.0", get(HOST[:-2], line=b"GET / HTTP/1.0\r\n")),
    fine("an empty Host", get(host=b"Host:\r\n")),
    fine("a Host with a port", get(host=b"Host: h.example:8000\r\n")),
    fine("a Host of IPv6", get(host=b"Host: [::1]:8000\r\n")),
    refused(400, "a Host with a space", get(host=b"Host: a b\r\n")),
    refused(400, "a Host with a path", get(host=b"Host: a/b\r\n")),
    refused(400, "a Host with a user", get(host=b"Host: a@b\r\n")),
    refused(400, "a Host whose port is no number", get(host=b"Host: a:b\r\n")),
    last("Connection: close", get(b"Connection: keep-alive, Close")),
    fine("an offer of another protocol", get(b"Connection: Upgrade", b"Upgrade: h2c")),
    refused(417, "another expectation", get(b"Expect: 200-maybe")),
    refused(417, "another expectation too", get(b"Expect: 100-continue, wonders")),
    fine("an expectation without a body", get(b"Expect: 100-continue")),
    last(
        "an expectation of HTTP/1.0",
        get(b"Expect: wonders", b"Content-Length: 1", line=b"POST /healthz HTTP/1.0\r\n") + b"x",
        GONE,
    ),
    refused(400, "two lengths", get(b"Content-Length: 1", b"Content-Length: 2") + b"x"),
    refused(400, "one length twice", get(b"Content-Length: 1", b"Content-Length: 1") + b"x"),
    refused(400, "a list of lengths", get(b"Content-Length: 1, 1") + b"x"),
    refused(400, "a length with a sign", get(b"Content-Length: +1") + b"x"),
    refused(400, "a length below zero", get(b"Content-Length: -1")),
    refused(400, "a length in hexadecimal digits", get(b"Content-Length: 0x1") + b"x"),
    refused(400, "an empty length", get(b"Content-Length:")),
    fine("a length with zeros before it", get(b"Content-Length: 0001") + b"x"),
    refused(413, "a length of twenty digits", get(b"Content-Length: 1" + b"0" * 19)),
    refused(
        400, "a length and chunks", in_chunks(b"0", b"", coding=b"chunked\r\nContent-Length: 5")
    ),
    refused(400, "chunks and a length of zero", get(b"Content-Length: 0", CHUNKED) + b"0\r\n\r\n"),
    refused(400, "chunks in HTTP/1.0", get(CHUNKED, line=b"POST / HTTP/1.0\r\n") + b"0\r\n\r\n"),
    refused(501, "another coding", in_chunks(coding=b"gzip")),
    refused(501, "another coding before chunks", in_chunks(coding=b"gzip, chunked")),
    refused(501, "the coding identity", in_chunks(coding=b"identity")),
    refused(501, "nearly chunked", in_chunks(coding=b"xchunked")),
    refused(400, "chunked is not the last", in_chunks(coding=b"chunked, gzip")),
    refused(400, "chunked twice", in_chunks(coding=b"chunked, chunked")),
    refused(400, "chunked in two fields", get(CHUNKED, CHUNKED)),
    refused(400, "chunked with a parameter", in_chunks(coding=b"chunked;a=b")),
    refused(400, "no coding", in_chunks(coding=b"")),
    refused(400, "a coding in quotes", in_chunks(coding=b'"chunked"')),
    fine("chunked in capitals", in_chunks(b"0", b"", coding=b"CHUNKED"), GONE),
    fine("an empty element beside chunked", in_chunks(b"0", b"", coding=b", chunked"), GONE),
]

CHUNKS = [
    fine("chunks", in_chunks(b"2", b"ab", b"0", b""), GONE),
    fine(
        "a size in either case",
        in_chunks(b"a", b"0123456789", b"A", b"0123456789", b"0", b""),
        GONE,
    ),
    fine("a size with zeros before it", in_chunks(b"0000000000000002", b"ab", b"00", b""), GONE),
    refused(400, "a size of 17 digits", in_chunks(b"0" * 16 + b"2", b"ab", b"0", b"")),
    refused(400, "no size", in_chunks(b"", b"ab", b"0", b"")),
    refused(400, "a size with a sign", in_chunks(b"+2", b"ab", b"0", b"")),
    refused(400, "a size with 0x", in_chunks(b"0x2", b"ab", b"0", b"")),
    refused(400, "a size with an underscore", in_chunks(b"1_0", b"0123456789012345", b"0", b"")),
    refused(400, "space before a size", in_chunks(b" 2", b"ab", b"0", b"")),
    refused(400, "space after a size", in_chunks(b"2 ", b"ab", b"0", b"")),
    refused(400, "a chunk that is longer than its size", in_chunks(b"2", b"abc", b"0", b"")),
    refused(400, "a chunk that ends with LF alone", in_chunks(b"2\r\nab\n0", b"")),
    refused(400, "a size that ends with LF alone", in_chunks(b"2\nab", b"0", b"")),
    fine("extensions", in_chunks(b'2;a;b=c ; d="e;\\"f"', b"ab", b"0;x=y", b""), GONE),
    refused(400, "an extension that is none", in_chunks(b"2;=a", b"ab", b"0", b"")),
    refused(400, "an extension with a CR", in_chunks(b"2;a=\rb", b"ab", b"0", b"")),
    refused(400, "an extension of 300 bytes", in_chunks(b"2;" + b"a" * 300, b"ab", b"0", b"")),
    fine("a trailer is dropped", in_chunks(b"0", b"A: b", b"Host: other", b""), GONE),
    fine("100 trailer fields", in_chunks(b"0", *[b"A: b"] * 100, b""), GONE),
    refused(431, "101 trailer fields", in_chunks(b"0", *[b"A: b"] * 101, b"")),
    refused(400, "a trailer that is no field", in_chunks(b"0", b"A b", b"")),
    refused(400, "a trailer that goes on", in_chunks(b"0", b"A: b", b" c", b"")),
    refused(400, "a trailer with LF alone", in_chunks(b"0", b"A: b\nC: d", b"")),
    fine("a bet in chunks", bet_head(CHUNKED) + CHUNK + b"0\r\n\r\n"),
    fine(
        "a forged trailer does no harm",
        bet_head(CHUNKED) + CHUNK + b"0\r\nX-Sign: %b\r\nX-Request-Id: 1\r\n\r\n" % (b"0" * 64),
    ),
    fine("a signature in the trailer is none", signature_in_the_trailer(), (401, 8)),
]

SEQUENCES = [
    fine("a bet", bet()),
    fine("a bet of which nothing is right", bet(sign="0" * 64, timestamp="1"), (401, 8)),
    fine("two bets without waiting", bet() + bet(), FINE, FINE),
    fine("a body for which nobody asked", get(b"Content-Length: 3") + b"abc" + get(), FINE, FINE),
    last("nothing is read after a close", get(b"Connection: close") + get(), FINE),
    Row("a bet, then no HTTP", bet() + b"no HTTP\r\n\r\n", (FINE, (400, 2)), ended=True),
    Row(
        "two bets, then one that is malformed",
        bet() + bet_head(CHUNKED) + CHUNK + b"0\r\n\r\n" + in_chunks(b"x"),
        (FINE, FINE, (400, 2)),
        ended=True,
    ),
    Row(
        "a question, then a body in two lengths",
        get() + get(b"Content-Length: 1", b"Content-Length: 2"),
        (FINE, (400, 2)),
        ended=True,
    ),
]

#: Every one of these is cut at every position.
ROWS = [*REQUEST_LINES, *TARGETS, *FIELDS, *MESSAGES, *CHUNKS, *SEQUENCES]

#: These are too long for that: they are cut where it may matter.
LONG_ROWS = [
    fine("a head of 16 KiB", head_of(16 * KIB)),
    refused(431, "a head of a byte more", head_of(16 * KIB + 1)),
    refused(431, "a head of 32,700 bytes", head_of(32_700)),
    refused(431, "a head of 16 KiB with a line before it", b"\r\n" + head_of(16 * KIB)),
    refused(414, "a request line of 16 KiB", target(b"/" + b"x" * 16 * KIB)),
    refused(431, "trailers of 16 KiB", in_chunks(b"0", b"A: " + b"b" * 16 * KIB, b"")),
    refused(400, "extensions of 16 KiB", in_chunks(*[b"1;" + b"a" * 200, b"x"] * 90, b"0", b"")),
    fine("a body of 16 KiB", bet(body=b" " * 16 * KIB), (401, 8)),
    fine("a body of a byte more", bet(body=b" " * (16 * KIB + 1)) + get(), (413, 2), FINE),
    last(
        "a body of a byte more in chunks",
        bet_head(CHUNKED) + b"4001\r\n" + b" " * 0x4001 + b"\r\n0\r\n\r\n" + get(),
        (413, 2),
    ),
    last("a body of 1 MiB and more", bet_head(b"Content-Length: 2000000"), (413, 2)),
]
