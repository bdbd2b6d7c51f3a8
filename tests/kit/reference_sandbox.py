"""The sandbox's API of the reference wallet, as far as conformance uses it."""

import base64
import json
import re
import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.kit.reference_wallet import Account, Provider, Session, Wallet

_WALLET = "/sandbox/v1/"
#: Where the wallet redirects to, as a wallet does whose sandbox has an address of its own.
_HERE = "/sandbox/portal/v1/"
_ENDED = {"close": "session_closed", "expire": "session_expired"}


class Sandbox:
    """Makes providers, sessions and money in a wallet."""

    def __init__(self, wallet: Wallet) -> None:
        self.wallet = wallet
        self.providers: dict[str, Provider] = {}
        self.accounts: dict[tuple[str, str, str], Account] = {}

    def answer(self, request: Request, body: bytes) -> Response:
        """Answer a request about the sandbox."""
        path = request.url.path
        if path.startswith(_WALLET):
            return RedirectResponse(f"{_HERE}{path.removeprefix(_WALLET)}", 307)
        fields = json.loads(body or b"{}")
        name = path.removeprefix(_HERE)
        if name == "providers":
            return JSONResponse(self._provider(), 201)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        owner = next((one for one in self.providers.values() if one.token == token), None)
        if owner is None:
            return JSONResponse({"title": "Unauthorized", "status": 401}, 401)
        for pattern, do in self._routes.items():
            if found := re.fullmatch(pattern, name):
                made = do(self, owner, fields, *found.groups()) or {}
                return JSONResponse(made, 201 if name == "sessions" else 200)
        return JSONResponse({"title": "Not Found", "status": 404}, 404)

    def _provider(self) -> dict[str, Any]:
        secret = base64.b64encode(secrets.token_bytes(24)).decode()
        made = Provider(secrets.token_hex(8), [secret], secrets.token_hex(16))
        self.providers[made.id] = made
        return {"providerId": made.id, "secret": secret, "token": made.token}

    def _session(self, owner: Provider, fields: dict[str, Any]) -> dict[str, Any]:
        player = fields.get("player") or f"{owner.id}:{secrets.token_hex(6)}"
        currency = fields["currency"]
        account = self.accounts.setdefault((owner.id, player, currency), Account(player, currency))
        account.balance = max(account.balance, Decimal(fields["balance"]))
        limits = [fields.get(name) for name in ("minBet", "maxBet")]
        least, most = (None if limit is None else Decimal(limit) for limit in limits)
        if fields.get("replace"):
            for other in self.wallet.sessions.values():
                if other.account is account:
                    other.ended = "session_closed"
        name = secrets.token_hex(12)
        self.wallet.sessions[name] = Session(owner, account, least, most)
        return {"sessionId": name, "player": player, "currency": currency}

    def _end(self, owner: Provider, fields: dict[str, Any], name: str, how: str) -> None:  # noqa: ARG002
        self.wallet.sessions[name].ended = _ENDED[how]

    def _block(self, owner: Provider, fields: dict[str, Any], player: str, how: str) -> None:  # noqa: ARG002
        for (provider, name, _), account in self.accounts.items():
            if (provider, name) == (owner.id, player):
                account.blocked = how == "block"

    def _suspend(self, owner: Provider, fields: dict[str, Any], how: str) -> None:  # noqa: ARG002
        owner.suspended = how == "suspend"

    def _secret(self, owner: Provider, fields: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        owner.secrets.append(secrets.token_hex(16))
        return {"secret": owner.secrets[-1]}

    def _limits(self, owner: Provider, fields: dict[str, Any]) -> None:
        for one in fields["wins"]:
            limits = [one.get(name) for name in ("maxWin", "maxDailyWin")]
            most, daily = (None if limit is None else Decimal(limit) for limit in limits)
            owner.limits[one["currency"]] = (most, daily)

    _routes: ClassVar[dict[str, Callable[..., dict[str, Any] | None]]] = {
        "sessions": _session,
        "sessions/([^/]+)/(close|expire)": _end,
        "players/([^/]+)/(block|unblock)": _block,
        "provider/(suspend|resume)": _suspend,
        "provider/secrets": _secret,
        "provider/limits": _limits,
    }
