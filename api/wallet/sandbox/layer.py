"""The layer around the wallet of a sandbox: redirects, faults, explanations, and a record of each.

The wallet below it is the one of production. A gateway makes this layer only in a sandbox.
"""

import asyncio
import time
from typing import NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.shared.json_object import read_object
from api.wallet.answers import render_error
from api.wallet.auth import Signed
from api.wallet.calls import Call, read_call
from api.wallet.errors import (
    ApiError,
    above_rate,
    invalid,
    refused,
    try_later,
    unauthorized,
    unknown_outcome,
)
from api.wallet.sandbox.answer import NONE, PROXY, Answer, redirect
from api.wallet.sandbox.explain import explained
from api.wallet.sandbox.faults import Fault, read_fault
from api.wallet.sandbox.record import record_of
from api.wallet.services import GatewayServices
from broker.sandbox import is_first, note_request
from models.codes import Code
from models.commands import read_text
from models.deadline import Deadline
from models.errors import InvalidRequest
from server.exchange import BODY, CutOff

_CALLS = "/v1/"
_SANDBOX = "/sandbox/"
_MAGIC = b"sandbox-"
_NOTES_MAX = 1_000  # that are being written to Redis; more are left out
_ASKED_FOR = "A magic bet of the sandbox asked for this."


class _Hit(NamedTuple):
    """A fault that hits a request with a good signature."""

    fault: Fault
    signed: Signed


class SandboxLayer:
    """Serves the wallet of a sandbox."""

    def __init__(self, app: ASGIApp, services: GatewayServices) -> None:
        self._app = app
        self._services = services
        self._notes: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan. Raises CutOff to give no answer."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(_CALLS):
            await self._serve(scope, receive, send)
        elif path.startswith(_SANDBOX) and (place := self._services.settings.sandbox_url):
            await redirect(place, scope).send(send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, hit = time.monotonic(), None
        scope["app"] = self._app
        try:
            hit = await self._hit_of(scope, receive)
            answer = await self._answer_of(scope, receive, hit)
        except ApiError as error:
            answer = await Answer.of(await render_error(Request(scope), error), scope, receive)
        if answer.status == 401 and hit is None:
            services = self._services
            within = services.new_deadline()
            answer = await explained(answer, scope, services.authenticator, within)
        if hit is not None:
            await asyncio.sleep(hit.fault.slow)
        fault = "" if hit is None else hit.fault.word
        self._note(scope, record_of(scope, answer, fault, time.monotonic() - began))
        if answer is NONE or (hit is not None and hit.fault.answer == "lost"):
            raise CutOff
        await answer.send(send)

    async def _hit_of(self, scope: Scope, receive: Receive) -> _Hit | None:
        """The fault that hits a request. Raises ApiError if the body cannot be read."""
        deadline = self._services.new_deadline()
        try:
            bytes_max = self._services.settings.body_bytes_max
            call = await read_call(scope, receive, bytes_max, deadline)
        except ApiError:
            if scope.get(BODY) is None:
                raise
            return None  # the wallet refuses the headers
        return await self._of_call(scope, call, deadline) if _MAGIC in call.body else None

    async def _of_call(self, scope: Scope, call: Call, deadline: Deadline) -> _Hit | None:
        name = scope["path"].rpartition("/")[2]
        try:
            bet_id = read_text(read_object(call.body).get("betId"), "betId")
            fault = read_fault(name, bet_id)
            if fault is None:
                return None
            signed = await self._services.authenticator.authenticate(call, deadline, scope)
        except (InvalidRequest, ApiError):
            return None  # the wallet says so
        ask, what = self._services.link.ask, f"{name}:{bet_id}"
        if fault.first_only and not await is_first(ask, signed.provider_id, what):
            return None
        return _Hit(fault, signed)

    async def _answer_of(self, scope: Scope, receive: Receive, hit: _Hit | None) -> Answer:
        """The answer of the wallet, or that of the fault. Raises ApiError."""
        if hit is None:
            return await Answer.of(self._app, scope, receive)
        await asyncio.sleep(hit.fault.delayed)
        if not hit.fault.applied:
            return await self._instead(scope, hit)
        answer = await Answer.of(self._app, scope, receive)
        if hit.fault.answer == "unknown":
            raise unknown_outcome()
        return answer

    async def _instead(self, scope: Scope, hit: _Hit) -> Answer:
        """The answer to a request that is not worked on. Raises ApiError."""
        match hit.fault.answer:
            case "lost":
                return NONE
            case "proxy":
                return PROXY
            case "try_later":
                raise try_later(_ASKED_FOR)
            case "above_rate":
                raise above_rate()
        deadline = self._services.new_deadline()
        await self._services.commands.claim_nonce(hit.signed, deadline)
        match hit.fault.code:
            case None:
                raise unknown_outcome()
            case Code.INVALID:
                raise invalid(_ASKED_FOR)
            case Code.UNAUTHORIZED:
                raise unauthorized(_ASKED_FOR)
            case code:
                raise await self._refusal(scope, hit, code, deadline)

    async def _refusal(self, scope: Scope, hit: _Hit, code: Code, deadline: Deadline) -> ApiError:
        session_id = scope["path"].split("/")[3]
        services, provider_id = self._services, hit.signed.provider_id
        place = await services.sessions.place(session_id, provider_id, deadline)
        _, balance = await services.questions.balance(place.account_id, deadline)
        return refused(code, balance, hit.fault.reason)

    def _note(self, scope: Scope, record: dict[str, object]) -> None:
        """Append the record to the list of the provider that the request names, if it exists."""
        named = [value for name, value in scope["headers"] if name == b"x-counterparty-id"]
        counterparty_id = named[0].decode("latin-1") if named else ""
        known = self._services.authenticator.knows(counterparty_id)
        if known and len(self._notes) < _NOTES_MAX:
            note = note_request(self._services.link.ask, counterparty_id, record)
            task = asyncio.create_task(note)
            self._notes.add(task)
            task.add_done_callback(self._notes.discard)
