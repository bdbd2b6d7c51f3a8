"""Providers and their secrets. Operators add them, and gateways read them."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import uuid4

import psycopg
from sqlalchemy import func, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.audit.facts import ERASED
from models.audit.log import Action, record
from models.errors import AlreadyExists, InvalidRequest, NotFound
from models.secret_cipher import Encrypted, SecretCipher, SecretRow, Undecryptable
from models.tables import Provider, ProviderSecret

_SECRET_BYTES = 32
_NEXT_ID = text("select nextval(pg_get_serial_sequence('provider_secret', 'id'))")
_NAME_MAX = 128

ProviderStatus = Literal["active", "suspended"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a provider needs to call us. The secret is shown only this once."""

    counterparty_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Secret:
    """What may be shown about a secret: everything except the secret itself."""

    secret_id: int
    created_at: datetime
    revoked_at: datetime | None  # a signature made with it is not accepted after this


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """The result for the secrets that are not revoked."""

    changed: int
    unchanged: int  # already encrypted with the current key
    unreadable: Sequence[tuple[SecretRow, str]]  # and why: gateways do not accept them


def add_provider(session: DbSession, name: str, cipher: SecretCipher) -> Credentials:
    """Add a provider with a fresh identity and secret, which `cipher` encrypts.

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
    _, secret = _fresh_secret(session, provider, cipher)
    return Credentials(provider.counterparty_id, secret)


def set_provider_status(session: DbSession, counterparty_id: str, status: ProviderStatus) -> None:
    """Suspend a provider, or resume it, from the next bet on. A repeat is harmless.

    Raises NotFound.
    """
    provider = find_provider(session, counterparty_id, lock=True)
    provider.status = status
    action = {"active": Action.PROVIDER_RESUMED, "suspended": Action.PROVIDER_SUSPENDED}[status]
    record(session, action, provider.id, status=status)


def add_secret(
    session: DbSession, counterparty_id: str, cipher: SecretCipher
) -> tuple[Secret, str]:
    """Give a provider one more secret, besides its others. The second value is the secret itself.

    Raises NotFound.
    """
    added, secret = _fresh_secret(session, find_provider(session, counterparty_id), cipher)
    return _shown(added), secret


def revoke_secret(session: DbSession, counterparty_id: str, secret_id: int) -> Secret:
    """Revoke one secret of a provider, and erase it, so that nobody can restore it.

    A revoked secret keeps the time of its first revocation. Raises NotFound.
    """
    provider = find_provider(session, counterparty_id)
    now = func.coalesce(col(ProviderSecret.revoked_at), func.clock_timestamp())
    of_provider = col(ProviderSecret.provider_id) == provider.id
    statement = update(ProviderSecret).where(of_provider, col(ProviderSecret.id) == secret_id)
    erased = statement.values(revoked_at=now, key=None, ciphertext=None)
    revoked = session.execute(erased.returning(ProviderSecret)).first()
    if revoked is None:
        raise NotFound(f"The provider {counterparty_id!r} has no secret {secret_id}.")
    secret = _shown(revoked[0])
    record(session, Action.SECRET_REVOKED, secret_id, sha256=ERASED, revokedAt=secret.revoked_at)
    return secret


def list_secrets(session: DbSession, counterparty_id: str) -> list[Secret]:
    """All secrets that a provider ever had, the oldest first. Raises NotFound."""
    provider = find_provider(session, counterparty_id)
    found = select(ProviderSecret).where(ProviderSecret.provider_id == provider.id)
    return [_shown(secret) for secret in session.exec(found.order_by(col(ProviderSecret.id)))]


def reencrypt_secrets(session: DbSession, cipher: SecretCipher) -> Reencrypted:
    """Encrypt with the current key all secrets that a replaced key encrypted."""
    rows = session.exec(
        select(ProviderSecret, Provider)
        .join(Provider, col(Provider.id) == col(ProviderSecret.provider_id))
        .where(col(ProviderSecret.revoked_at).is_(None))
        .order_by(col(ProviderSecret.id))
        .with_for_update(of=ProviderSecret)
    ).all()
    changed, unreadable = 0, []
    for secret, provider in rows:
        row = _bound_to(secret, provider)
        try:
            plain = cipher.decrypt(Encrypted(secret.key or "", secret.ciphertext or b""), row)
        except Undecryptable as why:
            unreadable.append((row, str(why)))
            continue
        if secret.key != cipher.current:
            _encrypt(secret, plain, row, cipher)
            record(session, Action.SECRET_REENCRYPTED, secret.id, sha256=_digest(secret))
            changed += 1
    return Reencrypted(changed, len(rows) - changed - len(unreadable), unreadable)


def find_provider(session: DbSession, counterparty_id: str, *, lock: bool = False) -> Provider:
    """The provider with this `X-Counterparty-Id`. `lock` locks its row. Raises NotFound."""
    statement = select(Provider).where(Provider.counterparty_id == counterparty_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    found = session.exec(statement).one_or_none()
    if found is None:
        raise NotFound(f"There is no provider {counterparty_id!r}.")
    return found


def _fresh_secret(
    session: DbSession, provider: Provider, cipher: SecretCipher
) -> tuple[ProviderSecret, str]:
    plain = secrets.token_urlsafe(_SECRET_BYTES)
    # The id is drawn first, because the secret is bound to it.
    id_ = session.execute(_NEXT_ID).scalar_one()
    added = ProviderSecret(id=id_, provider_id=provider.id or 0)
    _encrypt(added, plain, _bound_to(added, provider), cipher)
    session.add(added)
    session.flush()
    digest = _digest(added)
    record(session, Action.SECRET_ADDED, id_, provider=added.provider_id, sha256=digest)
    return added, plain


def _bound_to(secret: ProviderSecret, provider: Provider) -> SecretRow:
    return SecretRow(secret.id or 0, provider.id or 0, provider.counterparty_id)


def _encrypt(secret: ProviderSecret, plain: str, row: SecretRow, cipher: SecretCipher) -> None:
    made = cipher.encrypt(plain, row)
    secret.key, secret.ciphertext = made.key, made.ciphertext


def _digest(secret: ProviderSecret) -> str:
    """Shows whether a ciphertext is still the same. `models/audit/facts.py` computes it in SQL."""
    return hashlib.sha256(f"{secret.key}:".encode() + (secret.ciphertext or b"")).hexdigest()


def _shown(secret: ProviderSecret) -> Secret:
    if secret.id is None or secret.created_at is None:
        raise ValueError("a secret that is not recorded")
    return Secret(secret.id, secret.created_at, secret.revoked_at)
