"""Every route of the sandbox's API. This table makes the router."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from api.sandbox import forms, games, players, providers
from api.sandbox.call import Call
from api.shared.answers import Answer
from api.shared.forms import Form, Nothing
from api.shared.limits import SetLimits

#: Reads the form and answers. One that is not a coroutine runs in a thread.
Handler = Callable[[Call, Any], Answer | Awaitable[Answer]]


class Route(NamedTuple):
    """One call of a provider. A change reads its form from the body, a GET from the query."""

    method: str
    path: str
    handler: Handler
    summary: str
    form: type[Form] = Nothing
    status: int = 200


#: Where a provider is made. It is the only call without a token.
PROVIDERS = "/v1/providers"
_SESSION = "/v1/sessions/{sessionId}"
_PLAYER = "/v1/players/{player}"
_PROVIDER = "/v1/provider"

# fmt: off
ROUTES = (
    Route("POST", "/v1/sessions", players.open_session,
          "Open a session. A player that does not exist yet is made.", forms.OpenSession, 201),
    Route("POST", f"{_SESSION}/close", players.close, "Close a session."),
    Route("POST", f"{_SESSION}/expire", players.expire, "Let a session's time be over."),
    Route("GET", _PLAYER, players.show, "Show a player with its accounts."),
    Route("POST", f"{_PLAYER}/deposits", players.deposit, "Give a player money.", forms.Deposit),
    Route("POST", f"{_PLAYER}/block", players.block, "Refuse new bets of a player."),
    Route("POST", f"{_PLAYER}/unblock", players.unblock, "Accept bets of a player again."),
    Route("POST", f"{_PROVIDER}/suspend", providers.suspend, "Refuse new bets of the provider."),
    Route("POST", f"{_PROVIDER}/resume", providers.resume, "Accept bets of the provider again."),
    Route("POST", f"{_PROVIDER}/secrets", providers.new_secret, "Add a secret.", status=201),
    Route("PUT", f"{_PROVIDER}/limits", providers.set_limits,
          "Set exactly these limits of the provider.", SetLimits),
    Route("PUT", f"{_PROVIDER}/url", games.put_url,
          "Call the provider at this URL.", forms.SetUrl),
    Route("POST", "/v1/games/sync", games.sync, "Ask the provider for its games."),
    Route("GET", "/v1/requests", providers.list_requests,
          "List the provider's last requests.", forms.ListRequests),
)
# fmt: on
