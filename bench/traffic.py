"""Signed requests, made just before they are sent, and what each of them will write."""

import hmac
import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
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
_STAKE, _WIN, _ODD = "10.5", "5.25", "0.5"


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
    chosen = _mix(sessions, chance) if calls == "mix" else map(_pay_in_out, sessions)
    stamps = at or itertools.repeat(None, count)
    return [_signed(people, call, stamp) for call, stamp in zip(chosen, stamps, strict=True)]


def _pay_in_out(session: str, bet_id: str | None = None) -> _Call:
    body = _body(bet_id, f'"betAmount":{_STAKE},"winAmount":{_WIN},"winOdd":{_ODD}')
    return _Call(session, "bets/pay-in-out", body, bets=1, transfers=2)


def _pay_in(session: str, bet_id: str) -> _Call:
    return _Call(session, "bets/pay-in", _body(bet_id, f'"betAmount":{_STAKE}'), 1, 1)


def _pay_out(session: str, bet_id: str) -> _Call:
    body = _body(bet_id, f'"winAmount":{_WIN},"winOdd":{_ODD}')
    return _Call(session, "bets/pay-out", body, transfers=1)


def _refund(session: str, bet_id: str) -> _Call:
    # Of a bet that is settled: the win is taken back and the stake given back.
    return _Call(session, "bets/refund", _body(bet_id, ""), transfers=2)


def _balance(session: str) -> _Call:
    return _Call(session, "balance", "")


def _body(bet_id: str | None, fields: str) -> str:
    named = f'{{"betId":"{bet_id or uuid4().hex}","gameRoundId":"{uuid4()}"'
    return f"{named},{fields}}}" if fields else f"{named}}}"


def _mix(sessions: Sequence[str], chance: random.Random) -> Iterator[_Call]:
    kinds = chance.choices(list(MIX), weights=list(MIX.values()), k=len(sessions))
    paid_in: deque[tuple[int, str, str]] = deque()  # position, session, bet
    settled: deque[tuple[int, str, str]] = deque()
    # Where an earlier bet is needed: of which it may be, what is then called, and what if none is.
    about: dict[str, tuple[deque[tuple[int, str, str]], Callable[[str, str], _Call], str]] = {
        "pay-out": (paid_in, _pay_out, "pay-in"),
        "refund": (settled, _refund, "pay-in-out"),
    }
    for position, (session, kind) in enumerate(zip(sessions, kinds, strict=True)):
        if kind in about:
            earlier, call, instead = about[kind]
            if earlier and earlier[0][0] <= position - _DISTANCE:
                yield call(*earlier.popleft()[1:])
                continue
            kind = instead
        bet_id = uuid4().hex
        if kind == "balance":
            yield _balance(session)
        elif kind == "pay-in":
            paid_in.append((position, session, bet_id))
            yield _pay_in(session, bet_id)
        else:
            settled.append((position, session, bet_id))
            yield _pay_in_out(session, bet_id)


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
