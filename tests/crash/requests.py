"""Signed requests of a provider, written from PROTOCOL.md, and a connection to send them on."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

#: How long a client waits for an answer.
PATIENCE_SECONDS = 7.0
#: Which session of a seat is closed: the last one.
CLOSED = -1


@dataclass(frozen=True)
class Seat:
    """A player at a provider, in several sessions: the later ones are for late repeats.

    `limited`: the provider's wins in this currency have limits.
    """

    counterparty_id: str
    secret: str
    account_id: int
    sessions: tuple[str, ...]
    limited: bool = False


@dataclass(frozen=True)
class Request:
    """What is sent, byte for byte; `bet` is '' where it is about none."""

    seat: Seat
    call: str
    method: str
    path: str
    body: bytes
    skew_seconds: int
    stamp_ms: int
    nonce: str
    bet: str = ""
    session: str = ""
    stake: str | None = None
    win: str | None = None

    @property
    def bytes(self) -> bytes:
        """The request as HTTP."""
        seat = self.seat
        parts = [seat.counterparty_id.encode(), b"%d" % self.stamp_ms, self.nonce.encode()]
        message = b".".join([self.body, *parts] if self.body else parts)
        sign = hmac.new(seat.secret.encode(), message, hashlib.sha256).hexdigest()
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            "Host: gateway",
            f"X-Counterparty-Id: {seat.counterparty_id}",
            f"X-Timestamp: {self.stamp_ms}",
            f"X-Request-Id: {self.nonce}",
            f"X-Sign: {sign}",
            f"Content-Length: {len(self.body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body


def bet_request(
    seat: Seat,
    call: str,
    bet: str,
    mark: str,
    game_round: str | None,
    *,
    session: int = 0,
    stake: str | None = None,
    win: str | None = None,
    finishes: bool = False,
    skew_seconds: int = 0,
    nonce: str = "",
) -> Request:
    """A call about a bet, signed now. `finishes`: it ends its round.

    `mark` is a number no other request has. It goes with the odd, of which the ledger keeps the
    first: so its rows tell which request made them. (A pay-in has no odd: see `Client.ask`.)
    """
    fields: dict[str, Any] = {"betId": bet, "gameRoundId": game_round}
    fields |= {"betAmount": stake, "winAmount": win, "roundFinished": finishes or None}
    fields |= {"winOdd": mark} if win is not None else {}
    body = json.dumps({name: value for name, value in fields.items() if value is not None})
    session_id = seat.sessions[session % len(seat.sessions)]
    return Request(
        seat=seat,
        call=call,
        method="POST",
        path=f"/v1/sessions/{session_id}/bets/{call}",
        body=body.encode(),
        skew_seconds=skew_seconds,
        stamp_ms=_stamp(skew_seconds),
        nonce=nonce or secrets.token_hex(16),
        bet=bet,
        session=session_id,
        stake=stake,
        win=win,
    )


def balance_request(seat: Seat) -> Request:
    """A question for the balance, signed now."""
    path = f"/v1/sessions/{seat.sessions[0]}/balance"
    return Request(seat, "balance", "GET", path, b"", 0, _stamp(0), secrets.token_hex(16))


def status_request(seat: Seat, bet: str) -> Request:
    """A question for what became of a bet, signed now."""
    path = f"/v1/bets?betId={quote(bet, safe='')}"
    nonce = secrets.token_hex(16)
    return Request(seat, "status", "GET", path, b"", 0, _stamp(0), nonce, bet)


@dataclass
class Line:
    """A persistent connection to the proxy in front of one gateway."""

    socket: Path
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None)

    async def send(self, request: Request) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises TimeoutError, or OSError, then closes."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._send(request)
        except (OSError, EOFError, ValueError, IndexError) as error:
            self.close()
            raise error if isinstance(error, OSError) else ConnectionError(repr(error)) from error

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            with suppress(RuntimeError):  # the event loop has ended
                self._streams[1].transport.abort()
            self._streams = None

    async def _send(self, request: Request) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(self.socket)
        reader, writer = self._streams
        writer.write(request.bytes)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(":") for line in head)}
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection", "").strip() == "close":
            self.close()
        return int(head[0].split()[1]), body


def _stamp(skew_seconds: int) -> int:
    return int((time.time() + skew_seconds) * 1000)
