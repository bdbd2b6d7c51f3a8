"""What a case works with: sessions to play in, checks, and what it may ask an operator for."""

import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from betcore_kit.conformance.case import Lacking
from betcore_kit.conformance.site import Opened, Site, Wanted
from betcore_kit.conformance.wire import RIGHT, Answer, How, Wire
from betcore_kit.exact import write_json
from betcore_kit.signing import Identity


def new_id() -> str:
    """Return an id that was never used."""
    return f"kit-{secrets.token_hex(12)}"


@dataclass(frozen=True)
class Provider:
    """Signs as one provider."""

    wire: Wire
    identity: Identity

    async def send(self, method: str, path: str, body: bytes = b"", how: How = RIGHT) -> Answer:
        """Send a request, signed in this way."""
        return await self.wire.send(method, path, body, how.headers(self.identity, body))

    async def state(self, bet_id: str) -> Answer:
        """Ask for the state of a bet."""
        return await self.bets(betId=bet_id)

    async def bets(self, **query: str) -> Answer:
        """Ask `GET /v1/bets`."""
        return await self.send("GET", f"/v1/bets?{urlencode(query, quote_via=quote)}")


@dataclass(frozen=True)
class Session:
    """A session of a provider, with the calls that are made in it."""

    provider: Provider
    opened: Opened

    @property
    def id(self) -> str:
        """Return the session's id."""
        return self.opened.id

    @property
    def player(self) -> str:
        """Return the player, as `userId` claims it. Raises Lacking if it is not known."""
        if self.opened.player is None:
            raise Lacking("The session's `player` is not in the configuration.")
        return self.opened.player

    def path(self, call: str) -> str:
        """Return the path of a call about bets, or of `balance`."""
        name = call if call == "balance" else f"bets/{call}"
        return f"/v1/sessions/{quote(self.id, safe='')}/{name}"

    async def post(self, call: str, body: bytes, how: How = RIGHT) -> Answer:
        """Send a call with these very bytes as its body."""
        return await self.provider.send("POST", self.path(call), body, how)

    async def bet(self, call: str, how: How = RIGHT, **fields: Any) -> Answer:
        """Send a call with these fields. A Decimal becomes a string of its digits."""
        return await self.post(call, write_json(fields), how)

    async def pay_in(self, bet_id: str, stake: Any, **fields: Any) -> Answer:
        """Take a stake."""
        return await self.bet("pay-in", **{"betId": bet_id, "betAmount": stake} | fields)

    async def pay_out(self, bet_id: str, win: Any, **fields: Any) -> Answer:
        """Pay a win."""
        return await self.bet("pay-out", **{"betId": bet_id, "winAmount": win} | fields)

    async def pay_in_out(self, bet_id: str, stake: Any, win: Any, **fields: Any) -> Answer:
        """Take a stake and pay a win."""
        amounts = {"betAmount": stake, "winAmount": win}
        return await self.bet("pay-in-out", **{"betId": bet_id} | amounts | fields)

    async def refund(self, bet_id: str, **fields: Any) -> Answer:
        """Refund a bet."""
        return await self.bet("refund", **{"betId": bet_id} | fields)

    async def ask_balance(self, how: How = RIGHT) -> Answer:
        """Ask for the balance."""
        return await self.provider.send("GET", self.path("balance"), how=how)

    async def balance(self) -> Decimal:
        """Return the balance. Raises Broken if it is not told."""
        return (await self.ask_balance()).expect(1).amount("balance")


@dataclass
class Stage:
    """One case's own place. What it opens is given back when it leaves."""

    site: Site
    wire: Wire
    leaving: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def provider(self) -> Provider:
        """Return the provider that the sessions of this stage belong to."""
        return Provider(self.wire, await self.site.identity())

    async def session(self, kind: str = "play", **wanted: Any) -> Session:
        """Return a session. See `Wanted`."""
        opened = await self.site.session(Wanted(kind, **wanted))
        self.leaving.push_async_callback(self.site.give_back, opened)
        return Session(await self.provider(), opened)

    async def pair(self) -> tuple[Session, Session]:
        """Return two sessions of one player."""
        first = await self.session("paired")
        return first, await self.beside(first)

    async def beside(self, session: Session, **wanted: Any) -> Session:
        """Return another session of the same player."""
        return await self.session(
            same_player_as=session.id, currency=session.opened.currency, **wanted
        )

    async def elsewhere(self) -> "Stage":
        """Return a stage of another provider, which this case may change as it likes."""
        return Stage(await self.site.another(), self.wire, self.leaving)

    async def act(self, deed: str, subject: str = "", **fields: object) -> Mapping[str, object]:
        """Do something that an operator does. See `Site.act`."""
        return await self.site.act(deed, subject, **fields)
