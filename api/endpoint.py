"""What every signed call has in common: from the socket to the answer's bytes."""

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from starlette.types import Receive, Scope, Send

from api.answer_log import BODY
from api.answers import JSON
from api.auth import Signed
from api.calls import Call, read_call
from api.crowding import STRANGERS
from api.errors import OVERLOADED, ApiError, invalid, try_later
from api.gateway import Gateway
from models.errors import InvalidRequest
from server.peer import Peer, peer_of

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
        try:
            signed = await self._authenticate(call, peer_of(scope), arrived)
            body = await self._work(scope, signed, arrived)
        except Exception:
            scope[BODY] = call.body  # in which the log finds the bet
            raise
        headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _authenticate(self, call: Call, peer: Peer, arrived: float) -> Signed:
        """Wait for the call's turn, then look at its signature."""
        gateway, provider = self.gateway, call.counterparty_id
        await gateway.crowding.intake.enter(provider if peer.knows(provider) else STRANGERS)
        left = gateway.seconds_left(arrived)
        signed = await gateway.authenticator.authenticate(call, left)
        peer.note(provider)
        return signed

    async def _work(self, scope: Scope, signed: Signed, arrived: float) -> bytes:
        """The body of the answer, if so much can be worked on.

        A request counts from here: nobody without a signature must keep out those who have one.
        What is refused before it is read has left no trace, and may be sent again as it is.
        """
        crowding, provider = self.gateway.crowding, signed.call.counterparty_id
        session_id = scope["path_params"]["session_id"] if self.is_bet else ""
        if crowding.is_full(provider):
            raise try_later("Too many requests are being worked on.")
        if self.is_bet and crowding.has_enough(
            provider, session_id, asyncio.get_running_loop().time()
        ):
            raise try_later(OVERLOADED)
        crowding.count_in(provider, session_id)
        try:
            question = await self._read(scope, signed, arrived)
            return await self.answer(signed, question, arrived)
        finally:
            crowding.count_off(provider, session_id)

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
