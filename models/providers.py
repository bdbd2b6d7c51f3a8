"""Providers and their secrets: added by operators, read by gateways."""

import secrets
from dataclasses import dataclass
from uuid import uuid4

import psycopg
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from models.errors import AlreadyExists, InvalidRequest, NotFound
from models.tables import Provider, ProviderSecret

_SECRET_BYTES = 32
_NAME_MAX = 128


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a provider needs to call us; the secret is shown this once."""

    counterparty_id: str
    secret: str


def add_provider(session: Session, name: str) -> Credentials:
    """Add a provider with a fresh identity and secret.

    Raises AlreadyExists when the name is taken, InvalidRequest when it is empty or too long.
    """
    if not 0 < len(name.strip()) <= _NAME_MAX or not name.isprintable():
        raise InvalidRequest(f"A provider's name has 1 to {_NAME_MAX} printable characters.")
    provider = Provider(counterparty_id=str(uuid4()), name=name)
    session.add(provider)
    try:
        session.flush()
    except IntegrityError as error:
        if isinstance(error.orig, psycopg.errors.UniqueViolation):
            raise AlreadyExists(f"There is a provider named {name!r} already.") from None
        raise
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    session.add(ProviderSecret(provider_id=provider.id or 0, secret=secret))
    return Credentials(provider.counterparty_id, secret)


def find_provider(session: Session, counterparty_id: str) -> Provider:
    """The provider with this `X-Counterparty-Id`. Raises NotFound."""
    found = session.exec(
        select(Provider).where(Provider.counterparty_id == counterparty_id)
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no provider {counterparty_id!r}.")
    return found
