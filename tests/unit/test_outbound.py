"""Calls to providers: to checked addresses only, bounded in time and size, with one clear error."""

import asyncio
import gzip
import json
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import pytest
import trustme

from models.addresses import IPAddress
from models.directory.provider_calls import CalledProvider
from models.wire_signature import sign
from outbound.client import Bounds, Outbound
from outbound.errors import (
    ProviderAnsweredBadly,
    ProviderBusy,
    ProviderCallFailed,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
)
from settings import Settings
from tests.service.support.patience import SOON

BOUNDS = Bounds(seconds=60, bytes=1000)
LOOPBACK = ip_address("127.0.0.1")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def outbound(**changed: Any) -> Outbound:
    """A client for trials. `context` and `resolve` as in `Outbound`; the others are settings."""
    seams = {name: changed.pop(name) for name in ("context", "resolve") if name in changed}
    trial = {"outbound_http_allowed": True, "outbound_private_addresses_allowed": True}
    return Outbound(Settings(**(trial | changed)), **seams)


@asynccontextmanager
async def provider(serve: Serve, **tls: Any) -> AsyncIterator[CalledProvider]:
    """A provider on this machine that answers each connection by `serve`."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0, **tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        scheme, host = ("https", "games.example.com") if tls else ("http", "127.0.0.1")
        yield CalledProvider(1, "acme", f"{scheme}://{host}:{port}/base", "secret")


def answering(*parts: bytes) -> Serve:
    """Reads a request, and answers these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return serve


def http(body: bytes, status: int = 200, *headers: str) -> bytes:
    """An answer with a length."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_a_call_is_signed_by_the_rule_of_the_wire_and_its_answer_is_exact() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (line for line in head.lower().split(b"\r\n") if b"content-length" in line), b":0"
        )
        seen.append((head, await reader.readexactly(int(length.partition(b":")[2]))))
        writer.write(http(b'{"odd": 1.10, "big": 12345678901234567890123}'))

    async with provider(serve) as acme:
        assert await outbound().get(acme, "/v1/games", BOUNDS) == {
            "odd": "1.10",
            "big": "12345678901234567890123",
        }
        await outbound().post(acme, "/v1/games/a%2F..%2Fb/launch", {"a": None}, BOUNDS)

    (asked, nothing), (posted, body) = seen
    assert asked.startswith(b"GET /base/v1/games HTTP/1.1\r\n")
    assert posted.startswith(b"POST /base/v1/games/a%2F..%2Fb/launch HTTP/1.1\r\n")
    assert (nothing, body) == (b"", b'{"a":null}')
    for head, sent in seen:
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        said = {name.lower(): value for name, _, value in lines}
        wanted = (said["x-counterparty-id"], said["x-timestamp"], said["x-request-id"], sent)
        assert said["x-sign"] == sign("secret", *wanted)
        assert said["host"] == acme.url.split("/")[2]


def test_the_signature_is_that_of_the_test_vectors() -> None:
    of = (
        "example-secret-not-real==",
        "933a215f-a9e6-4f88-9d91-52a87cd50499",
        "1719766120806",
        "5a0679b6e5fa48f6892c777b0fa92392",
    )
    body = (
        b'{"betAmount":"10.5","betId":"4178696881",'
        b'"gameRoundId":"c5dfa465-93fc-4e8e-a643-954747f74ca1","winAmount":"55.25"}'
    )

    assert sign(*of) == "3ebc387518e8c39cd824caeb4414664659d7dacd4c63140b9452c6530bfbe456"
    assert sign(*of, body) == "7b0d5609eb27225f88b475d9aed7f4860c13f483dacc7403a0e376649532f8ad"


def deflated(size: int) -> bytes:
    packing = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    return b"".join([packing.compress(b" " * 2**20) for _ in range(size)]) + packing.flush()


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (http(b"<h1>Oops</h1>", 500), ProviderAnsweredBadly, "HTTP 500"),
        (http(b'{"error": {"message": "no\\nluck"}}', 500), ProviderAnsweredBadly, "500, no luck"),
        (http(b"<h1>Hello</h1>"), ProviderAnsweredBadly, "no JSON: '<h1>Hello"),
        (http(b""), ProviderAnsweredBadly, "no JSON"),
        (http(b"\xff\xfe"), ProviderAnsweredBadly, "no JSON"),
        (http(b"[" * 900), ProviderAnsweredBadly, "no JSON"),
        (http(b'{"error": "game closed"}'), ProviderRefused, "game closed"),
        (http(b'{"error": "no such player"}', 404), ProviderRefused, "HTTP 404, no such player"),
        (http(b"", 401), ProviderRefused, "HTTP 401"),
        (http(b"", 302, "Location: http://169.254.169.254/"), ProviderAnsweredBadly, "redirect"),
        (http(b"", 307, "Location: /elsewhere"), ProviderAnsweredBadly, "redirect"),
        (http(b"", 300), ProviderAnsweredBadly, "redirect"),
        (http(b"", 204), ProviderAnsweredBadly, "HTTP 204"),
        (http(b'"' + b"x" * 1000 + b'"'), ProviderAnsweredBadly, "longer than 1000 bytes"),
        (http(deflated(64), 200, "Content-Encoding: gzip"), ProviderAnsweredBadly, "longer than"),
        (http(b"no gzip", 200, "Content-Encoding: gzip"), ProviderAnsweredBadly, "no valid gzip"),
        (
            http(gzip.compress(b"[1]", mtime=0)[:-4], 200, "Content-Encoding: gzip"),
            ProviderAnsweredBadly,
            "in the middle",
        ),
        (http(b"{}", 200, "Content-Encoding: br"), ProviderAnsweredBadly, "encoding"),
        (http(b"{}", 200, "Content-Encoding: gzip, gzip"), ProviderAnsweredBadly, "encoding"),
        (b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{}", ProviderUnreachable, "reached"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", ProviderUnreachable, "reached"),
        (b"HTTP/1.1 200 X\r\nA: " + b"x" * 300_000, ProviderUnreachable, "reached"),
        (b"", ProviderUnreachable, "reached"),
    ],
)
async def test_every_bad_answer_is_one_clear_line(
    answer: bytes, kind: type[ProviderCallFailed], says: str
) -> None:
    async with provider(answering(answer)) as acme:
        with pytest.raises(kind) as failed:
            await outbound().get(acme, "/v1/games", BOUNDS)

    assert says in str(failed.value)
    assert "\n" not in str(failed.value)
    assert "secret" not in str(failed.value)


async def test_an_answer_in_gzip_and_in_chunks_is_read() -> None:
    packed = gzip.compress(json.dumps([" " * 900]).encode())
    chunks = [
        b"%x\r\n%b\r\n" % (len(packed[i : i + 7]), packed[i : i + 7])
        for i in range(0, len(packed), 7)
    ]
    head = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"

    async with provider(answering(head, *chunks, b"0\r\n\r\n")) as acme:
        assert await outbound().get(acme, "/v1/games", BOUNDS) == [" " * 900]


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one byte at a time, without an end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 999\r\n\r\n[")
    ends = time.monotonic() + SOON
    while True:
        assert time.monotonic() < ends
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
    """Reads all, and answers nothing."""
    await reader.read()


async def informing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says for ever that the answer will come."""
    await reader.readuntil(b"\r\n\r\n")
    ends = time.monotonic() + SOON
    while True:
        assert time.monotonic() < ends
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("serve", [dripping, silent, informing])
async def test_no_provider_keeps_us_waiting_beyond_the_whole_time(serve: Serve) -> None:
    async with provider(serve) as acme:
        with pytest.raises(ProviderTimeout, match=r"within 0\.3 s"):
            await outbound().get(acme, "/v1/games", Bounds(0.3, 1000))


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A name is resolved once, so that it cannot turn into another address after the check."""
    asked = []

    async def changing(host: str, port: int) -> Sequence[IPAddress]:  # noqa: ARG001
        asked.append(host)
        return [LOOPBACK if len(asked) == 1 else ip_address("169.254.169.254")]

    async with provider(answering(http(b"[]"))) as acme:
        renamed = acme._replace(url=acme.url.replace("127.0.0.1", "games.example.com"))

        assert await outbound(resolve=changing).get(renamed, "/v1/games", BOUNDS) == []

    assert asked == ["games.example.com"]


@pytest.mark.parametrize("private", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "::1"])
async def test_a_name_with_one_address_that_may_not_be_called_is_not_called_at_all(
    private: str,
) -> None:
    async def both(host: str, port: int) -> Sequence[IPAddress]:  # noqa: ARG001
        return [ip_address("8.8.8.8"), ip_address(private)]

    closed = outbound(outbound_private_addresses_allowed=False, resolve=both)
    acme = CalledProvider(1, "acme", "https://games.example.com", "secret")

    with pytest.raises(ProviderUnreachable, match="may not be called"):
        await closed.get(acme, "/v1/games", BOUNDS)


async def test_a_loopback_address_is_refused_by_default_whatever_the_name_of_it() -> None:
    closed = outbound(outbound_private_addresses_allowed=False)
    async with provider(answering(http(b"[]"))) as acme:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0"):
            url = acme.url.replace("127.0.0.1", host)
            with pytest.raises(ProviderUnreachable, match="called"):
                await closed.get(acme._replace(url=url), "/v1/games", BOUNDS)


async def test_an_address_that_refuses_gives_way_to_the_next_one() -> None:
    async def both(host: str, port: int) -> Sequence[IPAddress]:  # noqa: ARG001
        return [ip_address("::1"), LOOPBACK]

    async with provider(answering(http(b"[]"))) as acme:
        assert await outbound(resolve=both).get(acme, "/v1/games", BOUNDS) == []


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("name", ["games.example.com", "other.example.com"])
async def test_tls_is_for_the_name_and_not_for_the_address(
    authority: trustme.CA, name: str
) -> None:
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(name).configure_cert(theirs)
    authority.configure_trust(ours)
    names = []
    theirs.sni_callback = lambda _, sni, __: names.append(sni)

    async def here(host: str, port: int) -> Sequence[IPAddress]:  # noqa: ARG001
        return [LOOPBACK]

    async with provider(answering(http(b"[]")), ssl=theirs) as acme:
        call = outbound(resolve=here, context=ours).get(acme, "/v1/games", BOUNDS)
        if name in acme.url:
            assert await call == []
        else:
            with pytest.raises(ProviderUnreachable, match="certificate"):
                await call
    assert names == ["games.example.com"]


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")

    async with provider(answering(http(b"[]"))) as acme:
        assert await outbound().get(acme, "/v1/games", BOUNDS) == []


async def test_calls_pause_after_failures_and_one_success_ends_the_pause() -> None:
    answers = [http(b"", 500), http(b"", 500), http(b'{"error": "x"}'), http(b"", 500)]
    answers += [http(b"", 500), http(b"", 500), http(b"[]"), http(b"[]")]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop(0))

    one = outbound(outbound_failures_max=3, outbound_pause_seconds=0.5)

    async def call() -> str:
        try:
            await one.get(acme, "/v1/games", BOUNDS)
        except ProviderCallFailed as error:
            return type(error).__name__
        return "done"

    async with provider(serve) as acme:
        # A refusal shows that the provider works: the count begins anew.
        outcomes = [await call() for _ in range(6)]
        assert (
            outcomes
            == [*["ProviderAnsweredBadly"] * 2, "ProviderRefused"] + ["ProviderAnsweredBadly"] * 3
        )
        assert await call() == "ProviderPaused"
        other = acme._replace(url=acme.url.replace("/base", ""))
        assert len(answers) == 2
        await one.get(other, "/v1/games", BOUNDS)  # another URL begins afresh
        ends = time.monotonic() + SOON
        while (outcome := await call()) == "ProviderPaused":
            assert time.monotonic() < ends
            await asyncio.sleep(0.02)
        assert outcome == "done"


async def test_only_so_many_calls_to_one_provider_wait_at_once() -> None:
    one = outbound(outbound_waiting_max=1)
    async with provider(silent) as acme:
        waiting = asyncio.create_task(one.get(acme, "/v1/games", BOUNDS))
        await asyncio.sleep(0)
        with pytest.raises(ProviderBusy):
            await one.get(acme, "/v1/games", BOUNDS)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
