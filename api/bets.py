"""The calls about bets: authenticate, read, dispatch, answer."""

from starlette.types import Scope

from api.answers import done
from api.auth import Signed
from api.bodies import read_object
from api.endpoint import SignedEndpoint
from api.gateway import Gateway
from models.commands import BetCommand, read_text
from models.errors import InvalidRequest


class BetCall(SignedEndpoint[BetCommand]):
    """The endpoint of one call about a bet, such as pay-in-out."""

    is_bet = True

    def __init__(self, gateway: Gateway, command_type: type[BetCommand]) -> None:
        super().__init__(gateway)
        self._command_type = command_type

    async def read(self, scope: Scope, signed: Signed, arrived: float) -> BetCommand:
        """The command that a signed call stands for."""
        body = read_object(signed.call.body)
        session_id: str = scope["path_params"]["session_id"]
        if "sessionId" in body and read_text(body["sessionId"], "sessionId") != session_id:
            # The path is not signed: a session in the body, which is, must be the path's.
            raise InvalidRequest("The sessionId in the body is not the one in the path.")
        left = self.gateway.seconds_left(arrived)
        place = await self.gateway.sessions.place(session_id, signed.provider_id, left)
        return self._command_type.read(body, place)

    async def answer(self, signed: Signed, question: BetCommand, arrived: float) -> bytes:
        """Run the command through the queue; what it did, with its ids and the balance."""
        result = await self.gateway.dispatcher.run(signed, question, arrived)
        return done(question.answers, result)
