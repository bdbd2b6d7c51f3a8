"""What every signed call has in common: from the socket to the answer's bytes."""

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from starlette.types import Receive, Scope, Send

from api.answer_log import BODY
from api.answers import JSON
from api.auth import Signed
from api.calls import read_call
from api.errors import OVERLOADED, ApiError, invalid, try_later
from api.gateway import Gateway
from models.errors import InvalidRequest

Question = TypeVar("Question")


class SignedEndpoint(ABC, Generic[Question]):
    """An ASGI app that authenticates, reads, answers.

    Not a function of Starlette's: building its Request and Response would cost a fifth of the
    gateway's time (docs/adr/0005).
    """

    #: Of bets a session may have only so many under way.
    is_bet: ClassVar[bool] = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @abstractmethod
    async def read(self, scope: Scope, signed: Signed, arrived: float) -> Question:
        """What a signed call asks. Raises ApiError or InvalidRequest; its nonce is claimed then."""

    @abstractmethod
    async def answer(self, signed: Signed, question: Question, arrived: float) -> bytes:
        """The body of the answer, with code 1; it claims the nonce first. Raises ApiError."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call. Raises ApiError, which the app renders."""
        gateway = self.gateway
        arrived = asyncio.get_running_loop().time()
        left = gateway.seconds_left(arrived)
        call = await read_call(scope, receive, gateway.settings.body_bytes_max, left)
        # Counted from here: a body that comes slowly must not keep out those that have come.
        crowding = gateway.crowding
        session_id = scope["path_params"]["session_id"] if self.is_bet else ""
        if crowding.full:
            scope[BODY] = call.body
            raise try_later("Too many requests are being worked on.")
        if crowding.has_enough(session_id, asyncio.get_running_loop().time()):
            scope[BODY] = call.body
            raise try_later(OVERLOADED)
        crowding.count_in(session_id)
        try:
            await crowding.intake.enter()
            left = gateway.seconds_left(arrived)
            signed = await gateway.authenticator.authenticate(call, left)
            question = await self._read(scope, signed, arrived)
            body = await self.answer(signed, question, arrived)
        except Exception:
            scope[BODY] = call.body  # in which the log finds the bet
            raise
        finally:
            crowding.count_off(session_id)
        headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _read(self, scope: Scope, signed: Signed, arrived: float) -> Question:
        """The question; a call that is refused here claims its nonce all the same."""
        try:
            return await self.read(scope, signed, arrived)
        except InvalidRequest as error:
            refusal = invalid(str(error))
        except ApiError as error:
            refusal = error
        await self.gateway.dispatcher.claim(signed, arrived)
        raise refusal
