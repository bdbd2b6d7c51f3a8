"""What the sandbox answers, as pydantic models (`api/shared/answers.py`)."""

from typing import Any

from pydantic import Field

from api.shared.answers import Amount, Answer, Moment, RowId


class NewProvider(Answer):
    """A provider that was just made. Secret and token are shown only this once."""

    provider_id: str
    secret: str
    token: str
    wallet_url: str
    sandbox_url: str


class Session(Answer):
    """A session that was just opened. `player` is what `userId` claims.

    It has a `frameUri` if its game was launched.
    """

    session_id: str
    account_id: RowId
    player: str
    currency: str
    balance: Amount
    expires_at: Moment
    frame_uri: str | None = Field(None, exclude_if=lambda uri: uri is None)


class Ended(Answer):
    """When a session was closed, or expired."""

    session_id: str
    ended_at: Moment


class Account(Answer):
    """An account of a player."""

    account_id: RowId
    currency: str
    balance: Amount


class Player(Answer):
    """A player of the provider."""

    player: str
    status: str
    accounts: list[Account]


class Deposited(Answer):
    """Money that was put into an account."""

    player: str
    account_id: RowId
    currency: str
    amount: Amount
    balance: Amount


class Provider(Answer):
    """The provider itself."""

    provider_id: str
    status: str


class Secret(Answer):
    """A secret that was just made. It is shown only this once."""

    secret: str


class Requests(Answer):
    """The last requests of the provider, the oldest first. `next` is for `after`."""

    items: list[dict[str, Any]]
    next: str | None = Field(description="The id of the last item, or what `after` was.")
