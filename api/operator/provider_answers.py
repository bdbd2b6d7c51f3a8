"""What is answered about providers: secrets, what a provider may do, house accounts."""

from pydantic import Field

from api.shared.answers import Answer, Moment, RowId
from api.shared.limits import Limits


class ListedProvider(Answer):
    """A provider, and with how many secrets it may sign now. If locked, all calls are refused."""

    counterparty_id: str = Field(serialization_alias="providerId")
    name: str
    status: str
    locked: bool
    active_secrets: int
    created_at: Moment


class ProviderList(Answer):
    """All providers, the oldest first."""

    items: list[ListedProvider]


class NewProvider(Answer):
    """A provider that was just added. The secret is shown only this once."""

    counterparty_id: str = Field(serialization_alias="providerId")
    name: str
    secret: str


class Secret(Answer):
    """What may be shown about a secret."""

    secret_id: RowId
    created_at: Moment
    revoked_at: Moment | None


class SecretList(Answer):
    """All secrets of a provider, the oldest first."""

    items: list[Secret]


class NewSecret(Secret):
    """A secret that was just made. It is shown only this once."""

    secret: str


class HouseAccount(Answer):
    """A house account of a provider."""

    account_id: RowId
    currency: str


class AllowList(Answer):
    """The networks from which a provider may call. None: it may call from anywhere."""

    networks: list[str]


class Provider(ListedProvider):
    """A provider with its secrets, its house accounts and what it may do."""

    secrets: list[Secret]
    accounts: list[HouseAccount]
    networks: list[str]
    limits: Limits
