"""What all rivals have in common with us: the whole gateway, up to the nonce and the outcome.

Their endpoints, authentication, bodies, sessions and answers are our own code, so that the checks
are literally the same. A rival brings a way to claim a nonce, and a way to apply a command.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from api.wallet.answers import render_error, render_http_exception, render_unexpected
from api.wallet.app import BETS
from api.wallet.auth import Signed
from api.wallet.dispatch import Dispatcher
from api.wallet.endpoints import BalanceCall, BetCall
from api.wallet.errors import (
    ApiError,
    refused,
    sent_again,
    try_later,
    unauthorized,
    unknown_outcome,
)
from api.wallet.gateway import Gateway
from bench.contenders.serving import report_ready
from broker.admission import Result
from broker.keys import nonce_key
from models.codes import Code
from models.commands import BetCommand
from models.deadline import Deadline
from models.errors import LedgerError
from models.outcome import Outcome
from settings import Settings

#: redis-py's own limit of 100 connections would refuse the requests of 128 clients.
REDIS_CONNECTIONS_MAX = 10_000


class Nonces(Protocol):
    """Where nonces are kept."""

    async def claim(self, key: str, value: bytes, expires_ms: int) -> bytes | None:
        """Keep `value` until then (Unix ms) unless there is one: that one. Raises RedisError."""


class RedisPyNonces:
    """By redis-py's asyncio client and its pool, as its documentation shows."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(redis_url, max_connections=REDIS_CONNECTIONS_MAX)

    async def claim(self, key: str, value: bytes, expires_ms: int) -> bytes | None:
        """One `SET NX GET`."""
        old: Any = await self._redis.set(key, value, nx=True, get=True, pxat=expires_ms)
        return None if old is None else bytes(old)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class RivalDispatcher(Dispatcher, ABC):
    """Claims nonces as `broker/admit.lua` does, and applies commands in the rival's own way."""

    def __init__(self, settings: Settings) -> None:
        # Not our parent's: there is no queue of ours.
        self._settings = settings
        self.nonces: Nonces

    @abstractmethod
    async def apply(self, command: BetCommand) -> Result:
        """The outcome of a command, as `Outcome.to_json`. Raises LedgerError or RedisError."""

    async def claim(self, signed: Signed, deadline: Deadline) -> None:  # noqa: ARG002
        """Claim the nonce of a request. Raises ApiError when it was used before."""
        settings, call = self._settings, signed.call
        lasts = settings.timestamp_tolerance_seconds + settings.nonce_margin_seconds
        key = nonce_key(signed.provider_id, call.nonce.decode())
        signature = bytes.fromhex(call.signature.decode())
        try:
            old = await self.nonces.claim(key, signature, call.stamp_ms + int(lasts * 1000))
        except (RedisError, OSError):
            raise try_later("Redis cannot be reached at the moment.") from None
        if old is not None:
            raise sent_again() if old == signature else unauthorized("nonce used before")

    async def run(self, signed: Signed, command: BetCommand, deadline: Deadline) -> Outcome:
        """The outcome of a command with code 1. Raises ApiError for every other."""
        await self.claim(signed, deadline)
        until = deadline.later(self._settings.ask_primary_within_seconds)
        try:
            async with asyncio.timeout(until.seconds_left()):
                outcome = Outcome.from_json(await self.apply(command))
        except (LedgerError, RedisError, OSError):  # a TimeoutError is an OSError
            raise unknown_outcome() from None
        if outcome.code is not Code.DONE:
            raise refused(outcome.code, outcome.balance, outcome.reason)
        return outcome

    async def stop(self) -> None:
        """Nothing asks here."""


class RivalGateway(Gateway):
    """Our gateway, its link to the queue never started, with another dispatcher."""

    def __init__(self, settings: Settings, dispatcher: RivalDispatcher) -> None:
        super().__init__(settings)
        self.dispatcher: Dispatcher = dispatcher

    async def start(self) -> None:
        """Begin to read the secrets."""
        await self.authenticator.start()

    @property
    def trouble(self) -> str:
        """Why no request can be authenticated; "" when it can."""
        return self.authenticator.trouble


@asynccontextmanager
async def running(
    gateway: Gateway, parts: AbstractAsyncContextManager[None]
) -> AsyncIterator[None]:
    """The lifespan of a rival: its gateway with what it talks to; says when it is ready."""
    async with parts:
        await gateway.start()
        try:
            while not gateway.ready:  # noqa: ASYNC110 - a fact about others
                await asyncio.sleep(0.02)
            report_ready()
            yield
        finally:
            await gateway.stop()


def starlette_app(gateway: Gateway, parts: AbstractAsyncContextManager[None]) -> Starlette:
    """The routes of `api/wallet/app.py`, without the state of a bet, which is about our queue."""
    session = "/v1/sessions/{session_id}"
    bets = [
        Route(f"{session}/bets/{name}", BetCall(gateway, call), methods=["POST"])
        for name, call in BETS.items()
    ]
    app = Starlette(
        routes=[*bets, Route(f"{session}/balance", BalanceCall(gateway), methods=["GET"])],
        exception_handlers={
            ApiError: render_error,
            HTTPException: render_http_exception,
            Exception: render_unexpected,
        },
        lifespan=lambda _: running(gateway, parts),
    )
    app.router.redirect_slashes = False
    return app
