"""The limits of a provider, as they are asked and answered (docs/adr/0024)."""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic.alias_generators import to_camel

from api.shared.answers import Amount as ShownAmount
from api.shared.answers import Answer
from api.shared.forms import Amount, Change, Currency, Form, whole
from api.shared.problems import Problem
from models.directory.provider_rules import RATE_MAX, ProviderLimits, WinLimits
from models.money import read_amount


class SetWinLimits(Form):
    """Largest wins in a currency. Null takes a limit away. PATCH keeps what is left out."""

    currency: Currency
    max_win: Amount | None = None
    max_daily_win: Amount | None = None


class SetLimits(Change):
    """Limits of a provider. Null takes the rate away. PATCH keeps what is left out."""

    rate: Annotated[int, BeforeValidator(whole), Field(ge=1, le=RATE_MAX)] | None = Field(
        None, description="Requests per second."
    )
    wins: list[SetWinLimits] = Field([], max_length=200)


class ShownWinLimits(Answer):
    """The largest win of one bet, and of all bets of a day (UTC). Null means no limit."""

    currency: str
    max_win: ShownAmount | None
    max_daily_win: ShownAmount | None


class Limits(Answer):
    """The limits of a provider. `rate` is requests per second; null means no limit."""

    rate_max: int | None = Field(serialization_alias="rate")
    wins: list[ShownWinLimits]


def limits_of(form: SetLimits) -> ProviderLimits:
    """Exactly the limits that the form names. Raises Problem or InvalidRequest."""
    daily = wins_of(form, "max_daily_win")
    most = wins_of(form, "max_win")
    wins = [WinLimits(one, most.get(one), daily.get(one)) for one in {**most, **daily}]
    return ProviderLimits(form.rate, tuple(wins))


def wins_of(form: SetLimits, field: str) -> dict[str, Decimal | None]:
    """What the form says of one kind of limit, by currency. Raises Problem or InvalidRequest."""
    found: dict[str, Decimal | None] = {}
    if len({one.currency for one in form.wins}) < len(form.wins):
        fault = {"field": "wins", "message": "it names a currency twice"}
        raise Problem(422, "invalid_request", "wins names a currency twice.", errors=[fault])
    for one in form.wins:
        if field in one.model_fields_set:
            amount = getattr(one, field)
            name = f"wins.{one.currency}.{to_camel(field)}"
            found[one.currency] = None if amount is None else read_amount(amount, name)
    return found
