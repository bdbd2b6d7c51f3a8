"""Signed requests, made just before they are sent, and what each of them will write."""

import hmac
import itertools
import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple
from uuid import uuid4

from bench.people import People

Calls = Literal["pay-in-out", "mix"]
Players = Literal["spread", "hot"]

#: The calls of a mix and their shares in percent.
MIX = {"pay-in-out": 40, "pay-in": 25, "pay-out": 25, "refund": 5, "balance": 5}
# A request about an earlier bet follows it by as many requests at least: more than are ever under
# way at once, so that the bet has been answered by then.
_DISTANCE = 1024
_STAKE, _WIN = ',"betAmount":10.5', ',"winAmount":5.25,"winOdd":0.5'
#: What the body of a call about a bet says, and how many bets and transfers the call writes.
_BETS = {
    "pay-in-out": (_STAKE + _WIN, 1, 2),
    "pay-in": (_STAKE, 1, 1),
    "pay-out": (_WIN, 0, 1),
    "refund": ("", 0, 2),  # of a settled bet: the win is taken back and the stake given back
}
_ABOUT = {"pay-out": "pay-in", "refund": "pay-in-out"}  # which earlier call; made where none is


class Signed(NamedTuple):
    """One HTTP request, ready to be sent, and how many rows it adds to `bet` and `transfer`."""

    request: bytes
    bets: int
    transfers: int


class _Call(NamedTuple):
    """One call before it is signed."""

    session: str
    path: str
    body: str  # empty: a GET
    bets: int = 0
    transfers: int = 0


def sign_traffic(
    people: People,
    count: int,
    calls: Calls = "pay-in-out",
    players: Players = "spread",
    at: Sequence[float] = (),
) -> list[Signed]:
    """So many requests, each with a nonce of its own, to be sent in this order within 30 s.

    With `at`, each is stamped with the time (Unix seconds) at which it is to be sent.

    In a mix, a pay-out is of a pay-in, and a refund of a pay-in-out, at least 1,024 requests
    before it; while there is none yet, a pay-in and a pay-in-out come in its place.
    """
    chance = random.Random()  # noqa: S311 - who plays is no secret
    sessions = people.spread(count, chance) if players == "spread" else people.hot(count)
    chosen = (
        _mix(sessions, chance) if calls == "mix" else (_bet("pay-in-out", one) for one in sessions)
    )
    stamps = at or itertools.repeat(None, count)
    return [_signed(people, call, stamp) for call, stamp in zip(chosen, stamps, strict=True)]


def _bet(call: str, session: str, bet_id: str | None = None) -> _Call:
    fields, bets, transfers = _BETS[call]
    body = f'{{"betId":"{bet_id or uuid4().hex}","gameRoundId":"{uuid4()}"{fields}}}'
    return _Call(session, f"bets/{call}", body, bets, transfers)


def _mix(sessions: Sequence[str], chance: random.Random) -> Iterator[_Call]:
    kinds = chance.choices(list(MIX), weights=list(MIX.values()), k=len(sessions))
    # The bets that a pay-out or a refund may be about: position, session, bet.
    made: dict[str, deque[tuple[int, str, str]]] = {"pay-in": deque(), "pay-in-out": deque()}
    for position, (session, kind) in enumerate(zip(sessions, kinds, strict=True)):
        if kind == "balance":
            yield _Call(session, "balance", "")
            continue
        earlier = made.get(_ABOUT.get(kind, ""))
        if earlier and earlier[0][0] <= position - _DISTANCE:
            yield _bet(kind, *earlier.popleft()[1:])
            continue
        kind = _ABOUT.get(kind, kind)
        bet_id = uuid4().hex
        made[kind].append((position, session, bet_id))
        yield _bet(kind, session, bet_id)


def _signed(people: People, call: _Call, at: float | None) -> Signed:
    timestamp, nonce = int((time.time() if at is None else at) * 1000), uuid4().hex
    signed = f"{people.counterparty_id}.{timestamp}.{nonce}"
    message = f"{call.body}.{signed}" if call.body else signed
    signature = hmac.digest(people.secret.encode(), message.encode(), "sha256").hex()
    method = "POST" if call.body else "GET"
    content = (
        f"Content-Type: application/json\r\nContent-Length: {len(call.body)}\r\n"
        if call.body
        else ""
    )
    request = (
        f"{method} /v1/sessions/{call.session}/{call.path} HTTP/1.1\r\nHost: localhost\r\n"
        f"X-Counterparty-Id: {people.counterparty_id}\r\nX-Timestamp: {timestamp}\r\n"
        f"X-Request-Id: {nonce}\r\nX-Sign: {signature}\r\n{content}\r\n{call.body}"
    )
    return Signed(request.encode(), call.bets, call.transfers)
