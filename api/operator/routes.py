"""Every route of the operator API. This table makes the router and the OpenAPI document."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.responses import Response

from api.operator import answers, forms, money, players, providers, reports, sessions
from api.operator.answers import Answer
from api.operator.call import Call, Reply
from api.operator.forms import Form, Nothing
from models.directory.operator_keys import Scope

#: Reads the form, calls one function of `models/` or `broker/`, and writes the answer. One that is
#: not a coroutine runs in a thread.
Handler = Callable[[Call, Any], Reply | Response | Awaitable[Reply]]


class Route(NamedTuple):
    """One call. GET reads its form from the query, POST from the body."""

    method: str
    path: str
    scope: Scope
    handler: Handler
    summary: str
    answer: type[Answer]
    form: type[Form] = Nothing
    status: int = 200
    idempotent: bool = False  # whether it takes an `Idempotency-Key`
    later: bool = False  # whether it may answer 202
    csv: bool = False  # whether the answer may be CSV
    location: str = ""  # where the new thing is, with fields of the answer

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


_SESSION = "/sessions/{sessionId}"
_PLAYER = "/players/{player}"
_PROVIDER = "/providers/{providerId}"
_SECRETS = f"{_PROVIDER}/secrets"
_S, _P, _M, _V, _R = Scope.SESSIONS, Scope.PLAYERS, Scope.MONEY, Scope.PROVIDERS, Scope.REPORTS

# fmt: off
ROUTES = (
    Route("POST", "/sessions", _S, sessions.open_session,
          "Open a session. A player or account that does not exist yet is made.",
          answers.OpenedSession, forms.OpenSession, 201, idempotent=True,
          location=_SESSION),
    Route("GET", "/sessions", _S, sessions.list_, "List sessions, the newest first.",
          answers.SessionPage, forms.ListSessions),
    Route("GET", _SESSION, _S, sessions.show, "Show a session, and why it ended.",
          answers.Session),
    Route("POST", f"{_SESSION}/extend", _S, sessions.extend,
          "Let an open session last for so long from now. It never ends earlier than before.",
          answers.Session, forms.ExtendSession),
    Route("POST", f"{_SESSION}/close", _S, sessions.close,
          "Close a session: it accepts no new bets. Open bets are still settled and refunded.",
          answers.Session, forms.Change),
    Route("GET", "/players", _P, players.list_, "List players, the oldest first.",
          answers.PlayerPage, forms.ListPlayers),
    Route("GET", _PLAYER, _P, players.show, "Show a player with its accounts and balances.",
          answers.Player),
    Route("POST", f"{_PLAYER}/block", _P, players.block,
          "Refuse new bets of a player. Open bets are still settled and refunded.",
          answers.Player, forms.Change),
    Route("POST", f"{_PLAYER}/unblock", _P, players.unblock,
          "Accept bets of a blocked player again.", answers.Player, forms.Change),
    Route("GET", f"{_PLAYER}/accounts", _P, players.list_accounts,
          "List the accounts of a player.", answers.AccountList),
    Route("POST", f"{_PLAYER}/accounts", _P, players.open_account,
          "Open an account. One that exists already is answered as it is.",
          answers.Account, forms.OpenAccount, 201, idempotent=True),
    Route("GET", f"{_PLAYER}/statement", _P, players.statement,
          "Show the transfers of an account in a period, the oldest first.",
          answers.Statement, forms.Statement, csv=True),
    Route("POST", f"{_PLAYER}/deposits", _M, money.deposit,
          "Put money into an account, once per reference.",
          answers.Movement, forms.MoveMoney, idempotent=True, later=True),
    Route("GET", f"{_PLAYER}/deposits/{{reference}}", _M, money.show_deposit,
          "Tell what has become of a deposit.", answers.Movement),
    Route("POST", f"{_PLAYER}/withdrawals", _M, money.withdraw,
          "Take money out of an account, once per reference, if the balance covers it.",
          answers.Movement, forms.MoveMoney, idempotent=True, later=True),
    Route("GET", f"{_PLAYER}/withdrawals/{{reference}}", _M, money.show_withdrawal,
          "Tell what has become of a withdrawal.", answers.Movement),
    Route("GET", "/providers", _V, providers.list_, "List all providers, the oldest first.",
          answers.ProviderList),
    Route("GET", _PROVIDER, _V, providers.show,
          "Show a provider with the ages of its secrets, but no secret.", answers.Provider),
    Route("POST", f"{_PROVIDER}/suspend", _V, providers.suspend,
          "Refuse new bets of a provider. Open bets are still settled and refunded.",
          answers.Provider, forms.Change),
    Route("POST", f"{_PROVIDER}/resume", _V, providers.resume,
          "Accept bets of a suspended provider again.", answers.Provider, forms.Change),
    Route("GET", _SECRETS, _V, providers.show_secrets,
          "List the secrets of a provider without their values.", answers.SecretList),
    Route("POST", _SECRETS, _V, providers.new_secret,
          "Add a secret. The others remain valid. It is shown only this once.",
          answers.NewSecret, forms.Change, 201),
    Route("POST", f"{_SECRETS}/{{secretId}}/revoke", _V, providers.end_secret,
          "Revoke a secret for good, within 2 seconds.", answers.Secret, forms.Change),
    Route("GET", "/bets", _R, reports.find_bets, "Show a bet of a provider with its transfers.",
          answers.BetPage, forms.FindBets),
    Route("GET", "/reports/house", _R, reports.house,
          "Show the result of the house by day (UTC), provider and currency.",
          answers.HouseResult, forms.HouseReport, csv=True),
    Route("GET", "/reports/open-bets", _R, reports.open_bets,
          "List bets of a provider that have no pay-out or refund yet, the oldest first.",
          answers.OpenBetPage, forms.OpenBets, csv=True),
    Route("GET", "/audit", _R, reports.audit, "List what operators have done, the newest first.",
          answers.AuditPage, forms.ListAudit),
)
# fmt: on
