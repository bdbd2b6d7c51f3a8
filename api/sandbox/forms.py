"""What a provider asks of the sandbox, as pydantic models (`api/shared/forms.py`)."""

from typing import Annotated, Literal

from pydantic import Field

from api.shared.forms import Amount, Currency, Form, Minutes, Text
from models.addresses import URL_MAX

Player = Annotated[
    str, Field(min_length=1, max_length=128, description="Your name of it, or the whole id.")
]


class NewProvider(Form):
    """A provider. Its name is for you alone."""

    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class OpenSession(Form):
    """A session of a player of yours. A deposit brings the account to `balance` at least."""

    player: Player | None = None
    currency: Currency = "EUR"
    balance: Amount = "1000"
    game: Text | None = None
    language: Text | None = None
    mode: Literal["real", "demo"] = "real"
    min_bet: Amount | None = None
    max_bet: Amount | None = None
    ttl_minutes: Minutes = 240
    launch: bool = Field(
        default=True, strict=True, description="Whether to launch the game, if you have a URL."
    )
    replace: bool = Field(
        default=False, strict=True, description="Whether it ends the player's other sessions."
    )


class SetUrl(Form):
    """Where to call you for your games. Null: nowhere."""

    url: Annotated[str, Field(min_length=1, max_length=URL_MAX)] | None


class Deposit(Form):
    """Money for a player of yours."""

    currency: Currency = "EUR"
    amount: Amount


class ListRequests(Form):
    """Which requests: those after an id, or the last ones."""

    after: Annotated[str, Field(pattern=r"^[0-9]{1,15}-[0-9]{1,9}$")] | None = None
