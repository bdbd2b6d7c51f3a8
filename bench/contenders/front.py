"""What all rivals have in common with us: the gateway, up to the nonce and the outcome.

Their endpoints, authentication, bodies, sessions and answers are our own code, so that the checks
are literally the same. A rival brings a way to claim a nonce, and a way to apply a command.
"""

import argparse
import asyncio
import logging
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from decimal import Decimal
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.types import ASGIApp

from api.wallet.auth import Authenticator, Signed
from api.wallet.bet_query import BetQuery
from api.wallet.errors import (
    ApiError,
    refused,
    sent_again,
    try_later,
    unauthorized,
    unknown_outcome,
)
from api.wallet.load_shedding import LoadShedder
from api.wallet.services import Services, gateway_reads_of
from api.wallet.sessions import Sessions
from broker.admission import Result
from broker.keys import nonce_key
from models.codes import Code
from models.commands import BetCommand
from models.deadline import Deadline
from models.errors import LedgerError
from models.outcome import Outcome
from server.bounds import bounds_of
from server.uvicorn_server import serve_http
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


class Rival(ABC):
    """Claims nonces as `broker/admit.lua` does; applies and looks up in the rival's own way."""

    nonces: Nonces  # set by `parts`

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @abstractmethod
    def parts(self) -> AbstractAsyncContextManager[None]:
        """What it talks to, for as long as it serves."""

    @abstractmethod
    async def apply(self, command: BetCommand) -> Result:
        """The outcome of a command, as `Outcome.to_json`. Raises LedgerError or RedisError."""

    @abstractmethod
    async def balance(self, account_id: int, deadline: Deadline) -> tuple[str, Decimal]:
        """Currency and balance of a player's account. Raises ApiError, 99."""

    async def claim_nonce(self, signed: Signed, deadline: Deadline) -> None:  # noqa: ARG002
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
        await self.claim_nonce(signed, deadline)
        until = deadline.later(self._settings.ask_primary_within_seconds)
        try:
            async with asyncio.timeout(until.seconds_left()):
                outcome = Outcome.from_json(await self.apply(command))
        except (LedgerError, RedisError, OSError):  # a TimeoutError is an OSError
            raise unknown_outcome() from None
        if outcome.code is not Code.DONE:
            raise refused(outcome.code, outcome.balance, outcome.reason)
        return outcome

    async def bets(
        self,
        provider_id: int,  # noqa: ARG002
        query: BetQuery,  # noqa: ARG002
        deadline: Deadline,  # noqa: ARG002
    ) -> Mapping[str, object]:
        """Raises ApiError: the state of a bet is about our queue, and no rival tells it."""
        raise ApiError(404, Code.INVALID, "Not Found.")

    async def stop(self) -> None:  # noqa: B027 - the end of `parts` is the end of all
        """Nothing is asked any more."""


class RivalServices(Services):
    """Those of our gateway, but the rival applies commands and looks balances up."""

    def __init__(self, settings: Settings, rival: Rival) -> None:
        """The rival is given its parts at the start."""
        super().__init__(
            settings,
            LoadShedder(settings),
            Authenticator(settings, gateway_reads_of(settings)),
            Sessions(settings, gateway_reads_of(settings)),
            commands=rival,
            questions=rival,
        )
        self._parts = rival.parts
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Connect, and tell the benchmark once requests can be answered."""
        await self._stack.enter_async_context(self._parts())
        await super().start()
        while not self.ready:  # noqa: ASYNC110 - a fact about others
            await asyncio.sleep(0.02)
        pipe = _arguments().ready_fd
        os.write(pipe, b"\n")
        os.close(pipe)

    async def stop(self) -> None:
        """Stop every part."""
        await super().stop()
        await self._stack.aclose()


def serve_inherited(app: ASGIApp, settings: Settings) -> None:
    """Serve on the socket of `--fd` until SIGTERM, by the server and the options of ours."""
    logging.basicConfig(level=logging.WARNING)
    with inherited_socket() as listener:
        serve_http(app, listener, bounds_of(settings))


def inherited_socket() -> socket.socket:
    """The listening socket of `--fd`."""
    return socket.socket(fileno=_arguments().fd)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    return parser.parse_args()
