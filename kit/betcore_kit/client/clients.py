"""The two clients. Each is a shell that does what the plans say: it signs, sends and waits."""

import asyncio
import time
from contextlib import aclosing, closing
from email.utils import parsedate_to_datetime
from typing import Self

import httpx

from betcore_kit.answers import BalanceAnswer, BetAnswer, BetState, RoundBets
from betcore_kit.calls import Bet
from betcore_kit.client.hooks import Attempt, Hooks, Reply
from betcore_kit.client.plans import (
    Pause,
    Plan,
    Send,
    T,
    balance_of,
    play,
    round_of,
    state_for_sure,
)
from betcore_kit.client.schedule import Schedule
from betcore_kit.errors import KitError
from betcore_kit.signing import Identity, signed_headers

#: `on_clock_skew` is called from this difference on. The wallet accepts 30 s.
SKEW_SECONDS = 5.0
#: An answer of a wallet is shorter. A longer one is not read to its end.
ANSWER_BYTES_MAX = 4 * 1024 * 1024
#: The wallet cannot have got a request for which one of these was raised.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_DEFAULT_SCHEDULE, _NO_HOOKS = Schedule(), Hooks()


class Caller:
    """What both clients share. It does no input or output."""

    def __init__(
        self, url: str, identity: Identity, schedule: Schedule | None, hooks: Hooks | None
    ) -> None:
        try:
            known = httpx.URL(url)
        except (httpx.InvalidURL, TypeError) as error:
            raise KitError(f"{url!r} is not a URL: {error}.") from None
        if known.scheme not in ("http", "https") or not known.host:
            raise KitError(
                f"{url!r} is not the URL of a wallet: it needs http or https, and a host."
            )
        self.url = url.rstrip("/")
        self.identity = identity
        self.schedule = schedule or _DEFAULT_SCHEDULE
        self.hooks = hooks or _NO_HOOKS
        #: By how many seconds the wallet's clock is ahead of ours, as the last answer told it.
        self.clock_skew: float | None = None

    def prepare(self, send: Send, number: int, paused: float) -> tuple[Attempt, httpx.Request]:
        """Return the attempt and its request, signed now. `paused`: the seconds waited before."""
        attempt = Attempt(send.call, number, send.why)
        if number > 1:
            self.hooks.on_retry(attempt, paused)
        headers = signed_headers(self.identity, send.call.body)
        if send.call.body:
            headers["Content-Type"] = "application/json"
        self.hooks.before_request(attempt, headers)
        address, content = f"{self.url}{send.call.path}", send.call.body or None
        timeout = httpx.Timeout(self.schedule.timeout).as_dict()
        request = httpx.Request(
            send.call.method,
            address,
            headers=headers,
            content=content,
            extensions={"timeout": timeout},
        )
        return attempt, request

    def take_part(self, body: bytearray, part: bytes, began: float) -> None:
        """Add a part to the body of an answer. Raises httpx.ReadError if that is endless."""
        body += part
        took = time.monotonic() - began
        if len(body) > ANSWER_BYTES_MAX or took > self.schedule.timeout:
            raise httpx.ReadError("The answer does not end.")

    def take(self, attempt: Attempt, reply: Reply) -> Reply:
        """Take an answer: look at the clock, and call the hooks."""
        skew = skew_seconds(reply.date, time.time() - reply.seconds / 2)
        if skew is not None:
            self.clock_skew = skew
            if abs(skew) >= SKEW_SECONDS:
                self.hooks.on_clock_skew(skew)
        self.hooks.after_answer(attempt, reply)
        return reply


class Client(Caller):
    """Calls the wallet, and waits for each answer. Several threads may share one client.

    Raises KitError for a URL or an amount that cannot be used. Everything that the wallet or the
    network does is in the answers.
    """

    def __init__(
        self,
        url: str,
        identity: Identity,
        schedule: Schedule | None = None,
        hooks: Hooks | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(url, identity, schedule, hooks)
        self._http = httpx.Client(transport=transport)

    def bet(self, bet: Bet) -> BetAnswer:
        """Do one of the calls about bets, by the schedule. See `plans.play`."""
        return self._run(play(bet, self.schedule))

    def balance(self, session_id: str) -> BalanceAnswer:
        """Ask for the balance of a session's player."""
        return self._run(balance_of(session_id, self.schedule))

    def state(self, bet_id: str) -> BetState:
        """Ask for the state of a bet."""
        return self._run(state_for_sure(self.schedule, betId=bet_id))

    def state_of_transaction(self, transaction_id: str) -> BetState:
        """Ask for the state of the bet that has this transaction."""
        return self._run(state_for_sure(self.schedule, transactionId=transaction_id))

    def bets_of_round(self, game_round_id: str) -> RoundBets:
        """Ask for all bets of a round."""
        return self._run(round_of(game_round_id, self.schedule))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, plan: Plan[T]) -> T:
        reply, number, paused = None, 0, 0.0
        while True:
            try:
                step = plan.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # it is the plan's T
            if isinstance(step, Pause):
                reply, paused = None, step.seconds
                time.sleep(paused)
            else:
                number += 1
                reply, paused = self._exchange(step, number, paused), 0.0

    def _exchange(self, send: Send, number: int, paused: float) -> Reply:
        attempt, request = self.prepare(send, number, paused)
        began = time.monotonic()
        body = bytearray()
        try:
            answer = self._http.send(request, stream=True)
            with closing(answer):
                for part in answer.iter_bytes():
                    self.take_part(body, part, began)
            reply = _reply(answer, body, began)
        except httpx.RequestError as error:
            reply = _no_reply(error)
        return self.take(attempt, reply)


class AsyncClient(Caller):
    """As `Client`, for asyncio: every method is awaited."""

    def __init__(
        self,
        url: str,
        identity: Identity,
        schedule: Schedule | None = None,
        hooks: Hooks | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(url, identity, schedule, hooks)
        self._http = httpx.AsyncClient(transport=transport)

    async def bet(self, bet: Bet) -> BetAnswer:
        """Do one of the calls about bets, by the schedule. See `plans.play`."""
        return await self._run(play(bet, self.schedule))

    async def balance(self, session_id: str) -> BalanceAnswer:
        """Ask for the balance of a session's player."""
        return await self._run(balance_of(session_id, self.schedule))

    async def state(self, bet_id: str) -> BetState:
        """Ask for the state of a bet."""
        return await self._run(state_for_sure(self.schedule, betId=bet_id))

    async def state_of_transaction(self, transaction_id: str) -> BetState:
        """Ask for the state of the bet that has this transaction."""
        return await self._run(state_for_sure(self.schedule, transactionId=transaction_id))

    async def bets_of_round(self, game_round_id: str) -> RoundBets:
        """Ask for all bets of a round."""
        return await self._run(round_of(game_round_id, self.schedule))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, plan: Plan[T]) -> T:
        reply, number, paused = None, 0, 0.0
        while True:
            try:
                step = plan.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # it is the plan's T
            if isinstance(step, Pause):
                reply, paused = None, step.seconds
                await asyncio.sleep(paused)
            else:
                number += 1
                reply, paused = await self._exchange(step, number, paused), 0.0

    async def _exchange(self, send: Send, number: int, paused: float) -> Reply:
        attempt, request = self.prepare(send, number, paused)
        began = time.monotonic()
        body = bytearray()
        try:
            # The connection has the same time for itself. Otherwise nobody could tell whether the
            # request left.
            async with asyncio.timeout(2 * self.schedule.timeout):
                answer = await self._http.send(request, stream=True)
                async with aclosing(answer):
                    async for part in answer.aiter_bytes():
                        self.take_part(body, part, began)
            reply = _reply(answer, body, began)
        except (httpx.RequestError, TimeoutError) as error:
            reply = _no_reply(error)
        return self.take(attempt, reply)


def skew_seconds(date: str, now: float) -> float | None:
    """Return by how many seconds the clock of a `Date` header is ahead of Unix time `now`.

    The header has whole seconds, and servers renew it once a second. So the result is exact to one
    second. None: there is no date.
    """
    try:
        told = parsedate_to_datetime(date).timestamp() + 1
    except (TypeError, ValueError, IndexError):
        return None
    return told - now


def _reply(answer: httpx.Response, body: bytearray, began: float) -> Reply:
    return Reply(
        answer.status_code,
        bytes(body),
        answer.headers.get("Retry-After", ""),
        answer.headers.get("Date", ""),
        seconds=time.monotonic() - began,
    )


def _no_reply(error: Exception) -> Reply:
    return Reply(was_sent=not isinstance(error, _NEVER_LEFT))
