"""The calls that only ask: a session's balance, and what has become of a bet."""

from urllib.parse import parse_qsl

from starlette.types import Scope

from api.answers import exact_json
from api.auth import Signed
from api.endpoint import SignedEndpoint
from models.commands import Place, read_text
from models.errors import InvalidRequest


class BalanceCall(SignedEndpoint[Place]):
    """GET balance: of a session's player, also after the session ended; never waits for a lane."""

    async def read(self, scope: Scope, signed: Signed, arrived: float) -> Place:
        """The place whose balance is asked."""
        session_id: str = scope["path_params"]["session_id"]
        left = self.gateway.seconds_left(arrived)
        return await self.gateway.sessions.place(session_id, signed.provider_id, left)

    async def answer(self, signed: Signed, question: Place, arrived: float) -> bytes:
        """Its currency and balance."""
        await self.gateway.dispatcher.claim(signed, arrived)
        left = self.gateway.seconds_left(arrived)
        currency, balance = await self.gateway.questions.balance(question.account_id, left)
        return exact_json({"currency": currency, "balance": balance, "_responseCode": 1})


class BetStatusCall(SignedEndpoint[str]):
    """GET bets?betId=…: what has become of a bet of the provider that asks."""

    async def read(self, scope: Scope, signed: Signed, arrived: float) -> str:  # noqa: ARG002
        """The `betId` in the query, exactly one."""
        try:
            query = scope["query_string"].decode("ascii")
            values = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=16)
        except ValueError:
            raise InvalidRequest("The query cannot be read.") from None
        bet_ids = [value for name, value in values if name == "betId"]
        if len(bet_ids) != 1:
            raise InvalidRequest("The query must have betId once.")
        return read_text(bet_ids[0], "betId")

    async def answer(self, signed: Signed, question: str, arrived: float) -> bytes:
        """State, amounts and ids, or `in_flight`, or `unknown`."""
        await self.gateway.dispatcher.claim(signed, arrived)
        left = self.gateway.seconds_left(arrived)
        status = await self.gateway.questions.status(signed.provider_id, question, left)
        return exact_json(status)
