"""Providers and their secrets: added by operators, read by gateways."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import uuid4

import psycopg
from sqlalchemy import func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from models.audit import Action, record
from models.errors import AlreadyExists, InvalidRequest, NotFound
from models.tables import Provider, ProviderSecret

_SECRET_BYTES = 32
_NAME_MAX = 128

ProviderStatus = Literal["active", "suspended"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a provider needs to call us; the secret is shown this once."""

    counterparty_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Secret:
    """What may be told of a secret: everything but itself."""

    secret_id: int
    created_at: datetime
    revoked_at: datetime | None  # since when nothing signed with it is accepted


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
    record(
        session,
        Action.PROVIDER_ADDED,
        provider.id,
        counterpartyId=provider.counterparty_id,
        name=name,
        status=provider.status,
    )
    return Credentials(provider.counterparty_id, _fresh_secret(session, provider).secret)


def set_provider_status(session: Session, counterparty_id: str, status: ProviderStatus) -> None:
    """Suspend a provider, or let it go on, from the next bet on; the same again is harmless.

    Raises NotFound.
    """
    provider = find_provider(session, counterparty_id, lock=True)
    provider.status = status
    action = {"active": Action.PROVIDER_RESUMED, "suspended": Action.PROVIDER_SUSPENDED}[status]
    record(session, action, provider.id, status=status)


def add_secret(session: Session, counterparty_id: str) -> tuple[Secret, str]:
    """Give a provider one more secret, beside those it has; the second value is the secret itself.

    Raises NotFound.
    """
    added = _fresh_secret(session, find_provider(session, counterparty_id))
    return _shown(added), added.secret


def revoke_secret(session: Session, counterparty_id: str, secret_id: int) -> Secret:
    """Revoke one secret of a provider; one that is revoked stays so since the first time.

    Raises NotFound.
    """
    provider = find_provider(session, counterparty_id)
    now = func.coalesce(col(ProviderSecret.revoked_at), func.clock_timestamp())
    of_provider = col(ProviderSecret.provider_id) == provider.id
    statement = update(ProviderSecret).where(of_provider, col(ProviderSecret.id) == secret_id)
    revoked = session.execute(statement.values(revoked_at=now).returning(ProviderSecret)).first()
    if revoked is None:
        raise NotFound(f"The provider {counterparty_id!r} has no secret {secret_id}.")
    secret = _shown(revoked[0])
    record(session, Action.SECRET_REVOKED, secret_id, revokedAt=secret.revoked_at)
    return secret


def list_secrets(session: Session, counterparty_id: str) -> list[Secret]:
    """All secrets that a provider ever had, the oldest first. Raises NotFound."""
    provider = find_provider(session, counterparty_id)
    found = select(ProviderSecret).where(ProviderSecret.provider_id == provider.id)
    return [_shown(secret) for secret in session.exec(found.order_by(col(ProviderSecret.id)))]


def find_provider(session: Session, counterparty_id: str, *, lock: bool = False) -> Provider:
    """The provider with this `X-Counterparty-Id`; its row is locked if asked. Raises NotFound."""
    statement = select(Provider).where(Provider.counterparty_id == counterparty_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    found = session.exec(statement).one_or_none()
    if found is None:
        raise NotFound(f"There is no provider {counterparty_id!r}.")
    return found


def _fresh_secret(session: Session, provider: Provider) -> ProviderSecret:
    secret = ProviderSecret(
        provider_id=provider.id or 0, secret=secrets.token_urlsafe(_SECRET_BYTES)
    )
    session.add(secret)
    session.flush()
    digest = hashlib.sha256(secret.secret.encode()).hexdigest()
    record(session, Action.SECRET_ADDED, secret.id, provider=secret.provider_id, sha256=digest)
    return secret


def _shown(secret: ProviderSecret) -> Secret:
    if secret.id is None or secret.created_at is None:
        raise ValueError("a secret that is not recorded")
    return Secret(secret.id, secret.created_at, secret.revoked_at)
