"""What a request asks, as pydantic models. Unknown fields are refused, and nothing is converted.

The models of `models/` decide what a valid amount, player or currency is. So the command line and
the API agree.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from api.shared.problems import Problem
from models.commands import is_readable
from models.directory.provider_rules import NETWORKS_MAX, RATE_MAX
from models.money import DECIMALS_MAX, JsonNumber

MINUTES_MAX = 366 * 24 * 60
ROWS = 50
ROWS_MAX = 500
DIFFERENCES_MAX = 10_000
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]")


class Form(BaseModel):
    """The fields of one request."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


Read = TypeVar("Read", bound=Form)


def _decimal_string(value: Any) -> Any:
    if type(value) is not str:
        raise ValueError('an amount is a string such as "12.50": a JSON number may be rounded')
    return value


def _whole(value: Any) -> Any:
    if type(value) is JsonNumber:
        try:
            return int(value) if len(value) < 19 else value
        except ValueError:
            pass
    raise ValueError("a whole number is expected")


def _plain_text(value: Any) -> Any:
    if type(value) is not str:
        raise ValueError("text is expected")
    return value


def _digits(value: Any) -> Any:
    if type(value) is str and not (value.isascii() and value.isdigit()):
        raise ValueError("a whole number is expected")
    return value


def _rfc_3339(value: Any) -> Any:
    # Otherwise pydantic also takes numbers, such as seconds.
    if type(value) is not str or not _TIME.match(value):
        raise ValueError("a time is RFC 3339, such as 2026-01-31T00:00:00Z")
    return value


Text = Annotated[str, BeforeValidator(_plain_text), Field(min_length=1, max_length=128)]
Amount = Annotated[
    str,
    BeforeValidator(_decimal_string),
    Field(
        examples=["12.50"],
        description="A decimal string, zero or more, below 10^15.",
        json_schema_extra={"pattern": r"^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
    ),
]
Currency = Annotated[
    str, BeforeValidator(_plain_text), Field(min_length=3, max_length=12, examples=["EUR"])
]
Minutes = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=MINUTES_MAX)]
Note = Annotated[
    str | None,
    Field(min_length=1, max_length=500, description="The reason, for the audit log."),
]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_rfc_3339),
    Field(description="A time with its zone.", examples=["2026-01-31T00:00:00Z"]),
]
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


class Change(Form):
    """A change. The audit log keeps its note."""

    note: Note = None


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


class SetWinLimits(Form):
    """Largest wins in a currency. Null takes a limit away. PATCH keeps what is left out."""

    currency: Currency
    max_win: Amount | None = None
    max_daily_win: Amount | None = None


class SetLimits(Change):
    """Limits of a provider. Null takes the rate away. PATCH keeps what is left out."""

    rate: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=RATE_MAX)] | None = Field(
        None, description="Requests per second."
    )
    wins: list[SetWinLimits] = Field([], max_length=200)


class AddCurrency(Change):
    """A currency that ISO 4217 does not have. Its number of decimals never changes."""

    code: Currency
    decimals: Annotated[int, BeforeValidator(_whole), Field(ge=0, le=DECIMALS_MAX)]


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


class Nothing(Form):
    """No field."""


def read_form(form: type[Read], values: Mapping[str, object]) -> Read:
    """The form with these values. Raises Problem: 422, which names every wrong field."""
    for name, value in values.items():
        if not _is_readable(value):
            fault = {"field": name, "message": "it has control characters or lone surrogates"}
            raise Problem(422, "invalid_request", f"{name}: {fault['message']}.", errors=[fault])
    try:
        read = form.model_validate(values)
    except ValidationError as error:
        faults = [_fault(one) for one in error.errors(include_url=False, include_input=False)]
        detail = "; ".join(f"{one['field']}: {one['message']}" for one in faults)
        raise Problem(422, "invalid_request", f"{detail}.", errors=faults) from None
    since, until = getattr(read, "since", None), getattr(read, "until", None)
    if since is not None and until is not None and since > until:
        fault = {"field": "since", "message": "it is later than until"}
        raise Problem(422, "invalid_request", "since is later than until.", errors=[fault])
    return read


def _is_readable(value: object) -> bool:
    """Whether all text in a JSON value can be recorded."""
    if isinstance(value, str):
        return is_readable(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_readable, inner))


def _fault(error: Any) -> dict[str, str]:
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "this field is not known here"
    elif error["type"] == "missing":
        message = "this field is missing"
    return {"field": ".".join(map(str, error["loc"])), "message": message}
