"""Every route of the operator API. This table makes the router and the OpenAPI document."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.responses import Response

from api.operator import (
    answers,
    bet_answers,
    forms,
    money,
    players,
    provider_answers,
    providers,
    reports,
    sessions,
)
from api.operator.call import Call, Reply
from api.shared.answers import Answer
from api.shared.forms import Form, Nothing
from models.directory.operator_keys import Scope

#: Reads the form, calls one function of `models/` or `broker/`, and writes the answer. One that is
#: not a coroutine runs in a thread.
Handler = Callable[[Call, Any], Reply | Response | Awaitable[Reply]]


class Route(NamedTuple):
    """One call. A change reads its form from the body, the others from the query."""

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
    upload: tuple[str, ...] = ()  # the media types of a long body; the form is then in the query
    location: str = ""  # where the new thing is, with fields of the answer

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET" and not self.upload


_SESSION = "/sessions/{sessionId}"
_PLAYER = "/players/{player}"
_PROVIDER = "/providers/{providerId}"
_SECRETS = f"{_PROVIDER}/secrets"
_ALLOW_LIST = f"{_PROVIDER}/allow-list"
_LIMITS = f"{_PROVIDER}/limits"
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
    Route("GET", "/accounts/{accountId}", _P, players.show_account,
          "Show any account: of a player, of a provider, or the cash account of a currency.",
          answers.ShownAccount),
    Route("GET", "/accounts/{accountId}/statement", _P, players.account_statement,
          "Show the transfers of any account, the oldest first. That of a house or cash account"
          " has no pages: ask for CSV.",
          answers.Statement, forms.AccountStatement, csv=True),
    Route("GET", "/currencies", _P, players.list_currencies,
          "List the currencies that were used or added so far. All of ISO 4217 can be used.",
          answers.CurrencyList),
    Route("POST", "/currencies", _P, players.add_currency,
          "Add a currency that ISO 4217 does not have. One that exists is answered as it is.",
          answers.Currency, forms.AddCurrency, 201, idempotent=True),
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
          provider_answers.ProviderList),
    Route("POST", "/providers", _V, providers.add,
          "Add a provider. Its signing secret is shown only this once.",
          provider_answers.NewProvider, forms.AddProvider, 201, location=_PROVIDER),
    Route("GET", _PROVIDER, _V, providers.show,
          "Show a provider with the ages of its secrets, but no secret.",
          provider_answers.Provider),
    Route("POST", f"{_PROVIDER}/suspend", _V, providers.suspend,
          "Refuse new bets of a provider. Open bets are still settled and refunded.",
          provider_answers.Provider, forms.Change),
    Route("POST", f"{_PROVIDER}/resume", _V, providers.resume,
          "Accept bets of a suspended provider again.", provider_answers.Provider, forms.Change),
    Route("POST", f"{_PROVIDER}/lock", _V, providers.lock,
          "Accept no call of a provider at all, within 2 seconds, for a secret that leaked.",
          provider_answers.Provider, forms.Change),
    Route("POST", f"{_PROVIDER}/unlock", _V, providers.unlock,
          "Accept calls of a locked provider again.", provider_answers.Provider, forms.Change),
    Route("GET", _ALLOW_LIST, _V, providers.show_allow_list,
          "Show the networks from which a provider may call.", provider_answers.AllowList),
    Route("PUT", _ALLOW_LIST, _V, providers.set_allow_list,
          "Accept calls of a provider only from these networks. An empty list: from anywhere.",
          provider_answers.AllowList, forms.SetAllowList),
    Route("GET", _LIMITS, _V, providers.show_limits, "Show the limits of a provider.",
          provider_answers.Limits),
    Route("PUT", _LIMITS, _V, providers.replace_limits,
          "Set exactly these limits, and take all others away.",
          provider_answers.Limits, forms.SetLimits),
    Route("PATCH", _LIMITS, _V, providers.change_limits,
          "Change the limits that are named. The others remain.",
          provider_answers.Limits, forms.SetLimits),
    Route("GET", _SECRETS, _V, providers.show_secrets,
          "List the secrets of a provider without their values.", provider_answers.SecretList),
    Route("POST", _SECRETS, _V, providers.new_secret,
          "Add a secret. The others remain valid. It is shown only this once.",
          provider_answers.NewSecret, forms.Change, 201),
    Route("POST", f"{_SECRETS}/{{secretId}}/revoke", _V, providers.end_secret,
          "Revoke a secret for good, within 2 seconds.", provider_answers.Secret, forms.Change),
    Route("GET", "/bets", _R, reports.find_bets,
          "Search bets, with their transfers. Bets of a player or session come the newest first,"
          " others the oldest first.",
          bet_answers.BetPage, forms.FindBets),
    Route("GET", "/bets/life", _R, reports.show_life,
          "Show what happened to a bet, in the order of time, and what vouches for it.",
          bet_answers.BetLife, forms.OneBet),
    Route("GET", "/reports/house", _R, reports.house,
          "Show the result of the house by day (UTC), provider, game and currency.",
          bet_answers.HouseResult, forms.HouseReport, csv=True),
    Route("GET", "/reports/open-bets", _R, reports.open_bets,
          "List bets of a provider that have no pay-out or refund yet, the oldest first.",
          bet_answers.OpenBetPage, forms.OpenBets, csv=True),
    Route("GET", "/reports/open-bets/ages", _R, reports.open_ages,
          "Show how many bets are open now, by provider, currency and age.",
          bet_answers.OpenAges, forms.OpenAges, csv=True),
    Route("POST", "/reports/reconciliation", _R, reports.reconcile,
          "Compare a provider's own list of its bets with ours. The list is the body: CSV whose"
          " first line has the titles betId and any of stake, win, state; or a JSON array of"
          " objects with these fields.",
          bet_answers.Reconciliation, forms.Reconcile, csv=True, upload=tuple(reports.LISTS)),
    Route("GET", "/audit", _R, reports.audit, "List what operators have done, the newest first.",
          answers.AuditPage, forms.ListAudit),
)
# fmt: on
