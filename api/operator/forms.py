"""What a request of the operator API asks, as pydantic models (`api/shared/forms.py`)."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from api.shared.forms import Amount, Currency, Form, Minutes, Moment, Text, whole
from api.shared.forms import Change as Change
from api.shared.forms import Nothing as Nothing
from api.shared.limits import SetLimits as SetLimits
from models.directory.provider_rules import NETWORKS_MAX
from models.money import DECIMALS_MAX

ROWS = 50
ROWS_MAX = 500
DIFFERENCES_MAX = 10_000


def _digits(value: Any) -> Any:
    if type(value) is str and not (value.isascii() and value.isdigit()):
        raise ValueError("a whole number is expected")
    return value


Cursor = Annotated[
    str | None, Field(description="The `next` of the page before.", max_length=2_000)
]
Age = Annotated[
    str,
    Field(
        pattern="^[0-9]{1,9}[smhd]$",
        description="Only bets recorded at least this long ago: a number with s, m, h or d.",
        examples=["15m"],
    ),
]
Id = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=2**63 - 1)]
Format = Literal["json", "csv"]
Rows = Annotated[
    int, BeforeValidator(_digits), Field(ge=1, le=ROWS_MAX, description="At most so many items.")
]


class OpenSession(Change):
    """A new session of a player at a provider."""

    player: Text
    currency: Currency
    provider_id: Text
    game: Text | None = None
    language: Text | None = Field(None, examples=["pt-BR"])
    mode: Literal["real", "demo"] = "real"
    min_bet: Amount | None = None
    max_bet: Amount | None = None
    ttl_minutes: Minutes = 240
    replace: bool = Field(
        default=False,
        strict=True,
        description="Whether to close the open sessions that the player has at this provider in"
        " this currency.",
    )


class ExtendSession(Change):
    """How long the session lasts from now. It never ends earlier than before."""

    ttl_minutes: Minutes = 240


class OpenAccount(Change):
    """An account of the player."""

    currency: Currency


class MoveMoney(Change):
    """A deposit or withdrawal. A repeat with the same reference moves nothing."""

    currency: Currency
    amount: Amount
    reference: Text


class AddProvider(Change):
    """A provider with a name that no other one has."""

    name: Text


class SetAllowList(Change):
    """The networks from which the provider may call. An empty list: from anywhere."""

    networks: list[Text] = Field(max_length=NETWORKS_MAX, examples=[["192.0.2.0/24"]])


class AddCurrency(Change):
    """A currency that ISO 4217 does not have. Its number of decimals never changes."""

    code: Currency
    decimals: Annotated[int, BeforeValidator(whole), Field(ge=0, le=DECIMALS_MAX)]


class Paged(Form):
    """One page of a list."""

    limit: Rows = ROWS
    cursor: Cursor = None


class ListSessions(Paged):
    """Which sessions to list."""

    player: str | None = None
    provider_id: str | None = None
    state: Literal["open"] | None = None


class ListPlayers(Paged):
    """Which players to list."""

    status: Literal["active", "blocked"] | None = None


class Period(Form):
    """From `since` to just before `until`."""

    since: Moment | None = None
    until: Moment | None = None


class Statement(Paged, Period):
    """Which lines of an account. CSV has all lines of the period, and no pages."""

    currency: str
    format: Format = "json"


class AccountStatement(Paged, Period):
    """Which lines. CSV has all lines of the period, and no pages."""

    format: Format = "json"


class FindBets(Paged):
    """Which bets. Name at least a transaction, a session, a round or a player, or a provider with
    `betId` or with `state` open.
    """

    provider_id: str | None = None
    bet_id: Text | None = None
    transaction_id: Id | None = Field(None, description="The id of any transfer of the bet.")
    game_round_id: Text | None = None
    player: Text | None = None
    session_id: str | None = None
    state: Literal["open", "settled", "refunded", "rejected", "cancelled"] | None = None
    older_than: Age | None = None


class OneBet(Form):
    """The bet of a provider."""

    provider_id: str
    bet_id: Text


class HouseReport(Period):
    """Of which bets to show the result of the house."""

    provider_id: str | None = None
    game: str | None = None
    currency: str | None = None
    format: Format = "json"


class OpenBets(Paged):
    """Bets of a provider whose pay-out or refund has not come. CSV has all of them."""

    provider_id: str
    older_than: Age = "0s"
    format: Format = "json"


class OpenAges(Form):
    """Whose open bets to count."""

    provider_id: str | None = None
    format: Format = "json"


class Reconcile(Period):
    """Whose list the body is. The period applies to bets that the list does not have.

    JSON shows the first differences, at most `limit`. CSV has all of them, without the counts.
    """

    provider_id: str
    limit: Annotated[int, BeforeValidator(_digits), Field(ge=1, le=DIFFERENCES_MAX)] = 1_000
    format: Format = "json"


class ListAudit(Paged, Period):
    """Which entries of the audit log."""

    action: str | None = Field(None, examples=["player.blocked"])
    subject: str | None = Field(None, examples=["player:ann"])
