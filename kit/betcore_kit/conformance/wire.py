"""Requests as a case sends them, and answers as it judges them. Both are kept for the report."""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from betcore_kit.conformance.case import Broken
from betcore_kit.errors import told
from betcore_kit.exact import read_json
from betcore_kit.signing import (
    COUNTERPARTY,
    HEADERS,
    NONCE,
    SIGN,
    TIMESTAMP,
    Identity,
    message,
    new_nonce,
    now_ms,
    signature,
)

#: How long a case waits for an answer. The wallet promises one within 5 s.
WAIT_SECONDS = 15.0
#: The HTTP statuses of each code, where there is no business status of its own.
STATUSES = {1: (200,), 8: (401,), 0: (504, 500, 409), 99: (503, 429)}
#: How much of an answer the reason of a failure shows.
SHOWN_MAX = 300
JSON = "application/json; charset=utf-8"
_SEND_AGAIN = 4  # times, after code 99: nothing was admitted


@dataclass(frozen=True)
class How:
    """How a request is signed, where a case does not sign it rightly. None: as it should be."""

    counterparty: str | None = None
    timestamp: str | None = None
    nonce: str | None = None
    secret: str | None = None
    body: bytes | None = None  # what is signed instead of the body
    sign: Callable[[str], str] = str  # what becomes of the right signature
    without: str = ""  # this header is left out
    more: Mapping[str, str] = field(default_factory=dict)

    def headers(self, identity: Identity, sent: bytes) -> dict[str, str]:
        """Return the headers of a request with this body."""
        values = {
            COUNTERPARTY: self.counterparty or identity.counterparty_id,
            TIMESTAMP: self.timestamp or now_ms(),
            NONCE: self.nonce or new_nonce(),
        }
        signed = message(sent if self.body is None else self.body, *values.values())
        values[SIGN] = self.sign(signature(self.secret or identity.secret, signed))
        values.pop(self.without, None)
        return values | dict(self.more)


RIGHT = How()


@dataclass(frozen=True)
class Answer:
    """An answer of the wallet. `fields` has exact numbers; it is empty if the body is no object."""

    status: int
    headers: httpx.Headers
    raw: bytes
    seconds: float
    fields: dict[str, Any]

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.raw.decode("utf-8", "replace")

    @property
    def code(self) -> int | None:
        """Return the `_responseCode`, or None if there is none."""
        code = self.fields.get("_responseCode")
        return int(code) if isinstance(code, Decimal) else None

    @property
    def retry_after(self) -> float:
        """Return how long to wait before the same request is sent again: 2 s at most."""
        text = self.headers.get("retry-after", "")
        return min(float(text), 2.0) if text.isascii() and text.isdigit() else 1.0

    def expect(self, code: int, status: int | None = None, /, **fields: object) -> Self:
        """Return this answer if it has the code, its status, and these fields. Raises Broken.

        A field of None must be null or missing.
        """
        statuses = (status,) if status else STATUSES.get(code, (402,))
        if self.code != code or self.status not in statuses:
            wanted = " or ".join(map(str, statuses))
            raise Broken(f"Expected HTTP {wanted} with code {code}, but got {self._shown()}")
        if self.headers.get("content-type") != JSON:
            kind = self.headers.get("content-type")
            raise Broken(f"Expected the content type {JSON!r}, but got {kind!r}.")
        for name, value in fields.items():
            if self.fields.get(name) != value:
                got = self.fields.get(name)
                raise Broken(f"Expected {name} to be {value}, but got {got} in {self._shown()}")
        return self

    def id(self, name: str) -> str:
        """Return a transaction id: text that is not empty. Raises Broken."""
        found = self.fields.get(name)
        if not isinstance(found, str) or not found:
            raise Broken(f"Expected {name} to be text, but got {found!r}.")
        return found

    def amount(self, name: str) -> Decimal:
        """Return an amount: an exact JSON number. Raises Broken."""
        found = self.fields.get(name)
        if not isinstance(found, Decimal):
            raise Broken(f"Expected {name} to be a number, but got {found!r}.")
        return found

    def _shown(self) -> str:
        text = self.text if len(self.text) <= SHOWN_MAX else f"{self.text[:SHOWN_MAX]}…"
        return f"HTTP {self.status}: {text or 'no body'}"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as the report shows them."""

    request: str
    answer: str
    seconds: float


@dataclass
class Wire:
    """The way to the wallet of one case. `exchanges` has what went over it."""

    url: str
    http: httpx.AsyncClient
    exchanges: list[Exchange] = field(default_factory=list)

    async def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request; after code 99 the same again, since nothing was admitted.

        Raises Broken if no answer comes.
        """
        for left in range(_SEND_AGAIN, -1, -1):
            answer = await self.once(method, path, body, headers or {})
            if answer.code != 99 or not left:
                break
            await asyncio.sleep(answer.retry_after)
        return answer

    async def raw(self, *parts: bytes, answers: int = 1, in_turn: bool = False) -> list[Answer]:
        """Send bytes on a connection of their own, and read so many answers. Raises Broken.

        `in_turn`: an answer is read before each further part is sent.
        """
        sent, began = b"".join(parts), time.monotonic()
        found: list[Answer] = []
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                reader, writer = await self._connect()
                try:
                    for part in parts:
                        if in_turn and part is not parts[0]:
                            found.append(await _read_answer(reader, began))
                        writer.write(part)
                        await writer.drain()
                    while len(found) < answers:
                        found.append(await _read_answer(reader, began))
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            self._keep(sent.decode("latin-1"), f"no answer: {told(error)}", began)
            raise Broken(f"Expected {answers} answers, but got {len(found)}.") from None
        for answer in found:
            self._keep(sent.decode("latin-1"), _answer_text(answer), began)
        return found

    async def once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request, whatever is answered. Raises Broken if no answer comes."""
        request = self.http.build_request(
            method, f"{self.url}{path}", content=body or None, headers=dict(headers)
        )
        began = time.monotonic()
        shown = _request_text(request, body)
        try:
            got = await self.http.send(request)
        except httpx.TransportError as error:
            self._keep(shown, f"no answer: {told(error)}", began)
            raise Broken(f"No answer came: {told(error)}.") from None
        answer = _answer(got.status_code, got.headers, got.content, began)
        self._keep(shown, _answer_text(answer), began)
        return answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        context = ssl.create_default_context() if secure else None
        return await asyncio.open_connection(parts.hostname, port, ssl=context)

    def _keep(self, request: str, answer: str, began: float) -> None:
        self.exchanges.append(Exchange(request, answer, time.monotonic() - began))


async def _read_answer(reader: asyncio.StreamReader, began: float) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    pairs = [line.partition(":") for line in head[1:] if line]
    headers = httpx.Headers([(name, value.strip()) for name, _, value in pairs])
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return _answer(int(head[0].split()[1]), headers, body, began)


def _answer(status: int, headers: httpx.Headers, raw: bytes, began: float) -> Answer:
    try:
        fields = read_json(raw)
    except ValueError:
        fields = {}
    known = fields if isinstance(fields, dict) else {}
    return Answer(status, headers, raw, time.monotonic() - began, known)


def _request_text(request: httpx.Request, body: bytes) -> str:
    target = request.url.raw_path.decode("ascii")
    known = {name.lower(): name for name in HEADERS}
    lines = [f"{known.get(name, name.title())}: {value}" for name, value in request.headers.items()]
    head = "\n".join([f"{request.method} {target} HTTP/1.1", *lines])
    return f"{head}\n\n{body.decode('utf-8', 'backslashreplace')}"


def _answer_text(answer: Answer) -> str:
    lines = [f"{name.title()}: {value}" for name, value in answer.headers.items()]
    return "\n".join([f"HTTP/1.1 {answer.status}", *lines, "", answer.text])
