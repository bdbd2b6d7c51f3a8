"""The signed calls: what all of them have in common, then each one.

Source: PROTOCOL.md, "Calls".
"""

import time
from abc import ABC, abstractmethod
from random import random
from typing import ClassVar, Generic, TypeVar

from starlette.types import Receive, Scope, Send

from api.wallet.answer_counts import done_of
from api.wallet.answer_log import log_success_in
from api.wallet.answers import done, found, send_answer
from api.wallet.auth import Signed
from api.wallet.bet_query import BetQuery, read_query
from api.wallet.calls import Call, read_call
from api.wallet.errors import ApiError, invalid
from api.wallet.services import Services
from metrics.measured import AUTHENTICATE
from models.commands import BetCommand, Place, read_text
from models.deadline import Deadline
from models.errors import InvalidRequest
from models.json_body import read_object
from server.exchange import ARRIVED
from server.peer import peer_of

Question = TypeVar("Question")


class SignedEndpoint(ABC, Generic[Question]):
    """An ASGI app that authenticates a call, reads it, claims its nonce and answers it.

    It does not use Starlette's Request and Response. Building them would cost a fifth of the
    gateway's time (docs/adr/0005).
    """

    #: Its name in the metrics.
    call: ClassVar[str] = ""

    def __init__(self, services: Services, call: str = "") -> None:
        """`call` is its name in the metrics; "": that of the class."""
        self.services = services
        self._done = done_of(call or self.call)  # by provider
        self._sampled = services.settings.log_successes / 1000

    @abstractmethod
    async def read(self, scope: Scope, signed: Signed, deadline: Deadline) -> Question:
        """Return what a signed call asks. Raises ApiError or InvalidRequest.

        If it raises, the nonce is claimed before that is answered.
        """

    @abstractmethod
    async def claim_and_answer(
        self, signed: Signed, question: Question, deadline: Deadline
    ) -> bytes:
        """Claim the nonce and return the body of the answer, with code 1. Raises ApiError."""

    def session_of_bet(self, scope: Scope) -> str:  # noqa: ARG002
        """Return the session whose bets in progress are limited, or "" for a question."""
        return ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call. Raises ApiError, which the app renders."""
        await send_answer(send, await self.answer(scope, receive))

    async def answer(self, scope: Scope, receive: Receive) -> bytes:
        """Return the body of the answer to one call, with code 1. Raises ApiError."""
        services = self.services
        deadline = services.new_deadline()
        arrived = scope.get(ARRIVED) or time.monotonic()
        call = await read_call(scope, receive, services.settings.body_bytes_max, deadline)
        provider, session_id = call.counterparty_id, self.session_of_bet(scope)
        signed = await self._authenticate(call, session_id, scope, deadline)
        services.load_shedder.let_in(provider, session_id, signed.at)
        try:
            AUTHENTICATE.observe(signed.at - arrived)
            question = await self._read(scope, signed, deadline)
            body = await self.claim_and_answer(signed, question, deadline)
            self._done[provider] += 1
            if self._sampled and random() < self._sampled:  # noqa: S311
                log_success_in(scope)
            return body
        finally:
            services.load_shedder.count_out(provider, session_id)

    async def _authenticate(
        self, call: Call, session_id: str, scope: Scope, deadline: Deadline
    ) -> Signed:
        """Wait for the call's turn, then check its signature, and count it."""
        services, provider, peer = self.services, call.counterparty_id, peer_of(scope)
        await services.load_shedder.enter(provider, session_id, peer)
        signed = await services.authenticator.authenticate(call, deadline, scope)
        peer.note(provider)
        services.authenticator.count(signed)
        return signed

    async def _read(self, scope: Scope, signed: Signed, deadline: Deadline) -> Question:
        """Return the question. A call that is refused here claims its nonce too."""
        try:
            return await self.read(scope, signed, deadline)
        except InvalidRequest as error:
            refusal = invalid(str(error))
        except ApiError as error:
            refusal = error
        await self.services.commands.claim_nonce(signed, deadline)
        raise refusal


class BetEndpoint(SignedEndpoint[BetCommand]):
    """The endpoint of one call about a bet, such as pay-in-out."""

    def __init__(self, services: Services, command_type: type[BetCommand]) -> None:
        super().__init__(services, command_type.function.rpartition(".")[2])
        self._command_type = command_type

    def session_of_bet(self, scope: Scope) -> str:
        """Return the session in the path."""
        session_id: str = scope["path_params"]["session_id"]
        return session_id

    async def read(self, scope: Scope, signed: Signed, deadline: Deadline) -> BetCommand:
        """Return the command for a signed call."""
        body = read_object(signed.call.body)
        session_id = self.session_of_bet(scope)
        if "sessionId" in body and read_text(body["sessionId"], "sessionId") != session_id:
            # The path is not signed: a session in the body, which is, must be the path's.
            raise InvalidRequest("The sessionId in the body is not the one in the path.")
        place = await self.services.sessions.place(session_id, signed.provider_id, deadline)
        return self._command_type.read(body, place)

    async def claim_and_answer(
        self, signed: Signed, question: BetCommand, deadline: Deadline
    ) -> bytes:
        """Run the command through the queue, whose script claims the nonce with it."""
        outcome = await self.services.commands.run(signed, question, deadline)
        return done(question.answers, outcome)


class QuestionEndpoint(SignedEndpoint[Question]):
    """A call that only reads. It never waits for a bet."""

    @abstractmethod
    async def look_up(self, signed: Signed, question: Question, deadline: Deadline) -> bytes:
        """Return the body of the answer, with code 1. Raises ApiError."""

    async def claim_and_answer(
        self, signed: Signed, question: Question, deadline: Deadline
    ) -> bytes:
        """Claim the nonce, then look up."""
        await self.services.commands.claim_nonce(signed, deadline)
        return await self.look_up(signed, question, deadline)


class BalanceEndpoint(QuestionEndpoint[Place]):
    """GET balance: the balance of a session's player, also after the session ended."""

    call = "balance"

    async def read(self, scope: Scope, signed: Signed, deadline: Deadline) -> Place:
        """Return the place whose balance is asked."""
        session_id: str = scope["path_params"]["session_id"]
        return await self.services.sessions.place(session_id, signed.provider_id, deadline)

    async def look_up(self, signed: Signed, question: Place, deadline: Deadline) -> bytes:  # noqa: ARG002
        """Return its currency and balance."""
        currency, balance = await self.services.questions.balance(question.account_id, deadline)
        return found({"currency": currency, "balance": balance, "_responseCode": 1})


class BetStatusEndpoint(QuestionEndpoint[BetQuery]):
    """GET bets: the state of a bet of the provider that asks, or of all its bets in a round."""

    call = "bet_status"

    async def read(self, scope: Scope, signed: Signed, deadline: Deadline) -> BetQuery:  # noqa: ARG002
        """Return what the query asks."""
        return read_query(scope["query_string"])

    async def look_up(self, signed: Signed, question: BetQuery, deadline: Deadline) -> bytes:
        """Return state, amounts and ids. The state may be `in_flight` or `unknown`."""
        bets = self.services.questions.bets
        return found(await bets(signed.provider_id, question, deadline))
