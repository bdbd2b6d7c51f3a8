"""A site in a sandbox: it makes a provider, sessions and money by the sandbox's own API."""

import asyncio
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx

from betcore_kit.conformance.case import Lacking
from betcore_kit.conformance.site import Opened, Wanted
from betcore_kit.errors import KitError, told
from betcore_kit.exact import read_json, write_json
from betcore_kit.signing import Identity

_PARALLEL = 8
_TRIES = 6
#: What an operator does, as a method and path. `{}` is the session or player.
_DEEDS = {
    "close": ("POST", "sessions/{}/close"),
    "expire": ("POST", "sessions/{}/expire"),
    "block": ("POST", "players/{}/block"),
    "unblock": ("POST", "players/{}/unblock"),
    "deposit": ("POST", "players/{}/deposits"),
    "suspend": ("POST", "provider/suspend"),
    "resume": ("POST", "provider/resume"),
    "new_secret": ("POST", "provider/secrets"),
    "limits": ("PUT", "provider/limits"),
    "url": ("PUT", "provider/url"),
    "sync": ("POST", "games/sync"),
    "open": ("POST", "sessions"),
}


class SandboxSite:
    """One provider of a sandbox. `new` makes it."""

    parallel = _PARALLEL
    seats: int | None = None

    def __init__(self, api: str, http: httpx.AsyncClient, made: dict[str, Any]) -> None:
        """`made` is what the sandbox said of the new provider."""
        self.api = api
        self._http = http
        self.token = str(made["token"])
        self._identity = Identity(str(made["providerId"]), str(made["secret"]))
        self._players: dict[str, str] = {}  # of each session

    @classmethod
    async def new(cls, url: str, http: httpx.AsyncClient) -> "SandboxSite":
        """Make a provider. `url` is the wallet's; it redirects to the sandbox's API.

        Raises KitError if there is no sandbox.
        """
        place = f"{url}/sandbox/v1"
        answer = await _ask(http, "POST", f"{place}/providers", {"name": "betcore-kit"}, {})
        for _ in range(3):
            if answer.status_code not in (307, 308):
                break
            # Not left to httpx: it would drop the token on the way to another address.
            there = str(answer.url.join(answer.headers.get("location", "")))
            place = there.removesuffix("/providers")
            answer = await _ask(http, "POST", there, {"name": "betcore-kit"}, {})
        if answer.status_code != 201:
            raise KitError(
                f"{url} has no sandbox (HTTP {answer.status_code} for {place}/providers):"
                " use a wallet that was started with --sandbox, or --config FILE.toml."
            )
        return cls(place, http, _fields(answer))

    async def identity(self) -> Identity:
        """Return the provider."""
        return self._identity

    async def session(self, wanted: Wanted) -> Opened:
        """Open a session of a new player, unless the player is given."""
        fields: dict[str, object] = {"currency": wanted.currency, "balance": wanted.balance}
        limits: tuple[str | None, str | None] = (None, None)
        if wanted.same_player_as is not None:
            fields["player"] = self._players[wanted.same_player_as]
        if wanted.replaces:
            fields["replace"] = True
        if wanted.kind == "limited":
            limits = ("2", "10")
            fields |= {"minBet": limits[0], "maxBet": limits[1]}
        made = await self._call("POST", "sessions", fields)
        session, player = str(made["sessionId"]), str(made["player"])
        self._players[session] = player
        deed = {"closed": "close", "expired": "expire", "blocked": "block"}.get(wanted.kind)
        if deed:
            await self.act(deed, player if deed == "block" else session)
        least, most = (None if limit is None else Decimal(limit) for limit in limits)
        return Opened(session, player, str(made["currency"]), least, most)

    async def give_back(self, opened: Opened) -> None:
        """Nothing: nobody else uses the session."""

    async def another(self) -> "SandboxSite":
        """Make another provider."""
        made = await self._call("POST", "providers", {"name": "betcore-kit"})
        return SandboxSite(self.api, self._http, made)

    async def act(self, deed: str, subject: str = "", **fields: object) -> dict[str, object]:
        """Do what an operator does."""
        method, path = _DEEDS[deed]
        return await self._call(method, path.format(quote(subject, safe="")), fields)

    async def _call(self, method: str, path: str, fields: dict[str, object]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = await _ask(self._http, method, f"{self.api}/{path}", fields, headers)
        if not answer.is_success:
            told = _fields(answer).get("detail") or answer.text[:200]
            raise Lacking(f"The sandbox refused {method} {path}: HTTP {answer.status_code}, {told}")
        return _fields(answer)


async def _ask(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    fields: dict[str, object],
    headers: dict[str, str],
) -> httpx.Response:
    """Ask the sandbox; again while it says that it has too much to do. Raises KitError."""
    for left in range(_TRIES, -1, -1):
        try:
            answer = await http.request(
                method,
                url,
                content=write_json(fields),
                headers=headers | {"Content-Type": "application/json"},
                follow_redirects=False,
            )
        except httpx.TransportError as error:
            if isinstance(error, httpx.ConnectError) or not left:
                raise KitError(f"{url} cannot be reached: {told(error)}.") from None
            continue  # a kept connection was closed: to make a session twice harms nobody
        if answer.status_code not in (429, 503) or not left:
            break
        text = answer.headers.get("retry-after", "")
        await asyncio.sleep(min(float(text), 5.0) if text.isascii() and text.isdigit() else 1.0)
    return answer


def _fields(answer: httpx.Response) -> dict[str, Any]:
    try:
        fields = read_json(answer.content)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
