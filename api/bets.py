"""The calls about bets: authenticate, read, dispatch, answer."""

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send

from api.answers import send_done
from api.auth import Signed
from api.bodies import read_object
from api.calls import read_call
from api.errors import ApiError, invalid, try_later
from api.gateway import Gateway
from models.commands import PayInOut, read_text
from models.errors import InvalidRequest


class BetCall:
    """The endpoint of one call about a bet, such as pay-in-out; an ASGI app of its own.

    Not a function of Starlette's: building its Request and Response would cost a fifth of the
    gateway's time (docs/adr/0005).
    """

    def __init__(self, gateway: Gateway, command_type: type[PayInOut]) -> None:
        self._gateway = gateway
        self._command_type = command_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call. Raises ApiError, which the app renders."""
        gateway = self._gateway
        if gateway.requests_in_flight >= gateway.settings.requests_in_flight_max:
            raise try_later("Too many requests are being worked on.")
        gateway.requests_in_flight += 1
        try:
            arrived = asyncio.get_running_loop().time()
            signed = await self._authenticate(scope, receive, arrived)
            command = await self._read(scope, signed, arrived)
            result = await gateway.dispatcher.run(signed, command, arrived)
            await send_done(send, command.answers, result)
        finally:
            gateway.requests_in_flight -= 1

    async def _authenticate(self, scope: Scope, receive: Receive, arrived: float) -> Signed:
        gateway = self._gateway
        bytes_max = gateway.settings.body_bytes_max
        call = await read_call(scope, receive, bytes_max, gateway.seconds_left(arrived))
        return await gateway.authenticator.authenticate(call, gateway.seconds_left(arrived))

    async def _read(self, scope: Scope, signed: Signed, arrived: float) -> PayInOut:
        """The command of a signed call; one that is refused claims its nonce all the same."""
        gateway = self._gateway
        session_id: str = scope["path_params"]["session_id"]
        try:
            body = read_object(signed.call.body)
            _require_same_session(body, session_id)
            left = gateway.seconds_left(arrived)
            place = await gateway.sessions.place(session_id, signed.provider_id, left)
            return self._command_type.read(body, place)
        except InvalidRequest as error:
            refusal = invalid(str(error))
        except ApiError as error:
            refusal = error
        await gateway.dispatcher.claim(signed, arrived)
        raise refusal


def _require_same_session(body: dict[str, Any], session_id: str) -> None:
    """The path is not signed: a session in the body, which is, must be the path's."""
    if "sessionId" in body and read_text(body["sessionId"], "sessionId") != session_id:
        raise InvalidRequest("The sessionId in the body is not the one in the path.")
