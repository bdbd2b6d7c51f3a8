"""Keys of the operator API: operators add and revoke them, the portal checks them.

A key is `bok_ID_SECRET`. Its secret has 256 random bits, so that a fast hash protects it.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.audit.log import Action, record
from models.database.transactions import transaction
from models.errors import AlreadyExists, BetcoreError, InvalidRequest, NotFound
from models.tables import OperatorKey

_SECRET_BYTES = 32
_FORM = re.compile(r"bok_([1-9][0-9]{0,8})_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_HASH = bytes(32)

_USED = text("""
    update operator_key set last_used_at = clock_timestamp()
    where id = :id
      and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')
""")


class Scope(StrEnum):
    """What a key may do."""

    ALL = "all"
    READ = "read"
    SESSIONS = "sessions"
    MONEY = "money"
    PLAYERS = "players"
    PROVIDERS = "providers"
    REPORTS = "reports"


class BadKey(BetcoreError):  # noqa: N818
    """There is no such key."""


class EndedKey(BadKey):
    """The key was revoked, or it has expired."""


@dataclass(frozen=True, slots=True)
class ShownKey:
    """What may be shown about a key: everything except the key itself."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None  # to the minute

    def may(self, area: Scope, *, change: bool) -> bool:
        """Whether the key may read this area, or change it."""
        granted = {Scope.ALL, area} if change else {Scope.ALL, area, Scope.READ}
        return bool(granted & set(self.scopes))


def add_operator_key(
    database: DbSession, name: str, scopes: Iterable[str], lasts: timedelta | None = None
) -> tuple[ShownKey, str]:
    """Add a key. The second value is the key itself, which is shown only this once.

    Raises InvalidRequest for an unknown scope or a name that is not valid. Raises AlreadyExists if
    the name was ever used: the audit log names keys.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest("A key's name has 1 to 64 letters, digits, and any of . _ -")
    chosen = sorted(set(scopes))
    unknown = [scope for scope in chosen if scope not in set(Scope)]
    if unknown or not chosen:
        raise InvalidRequest(f"A scope is one of {', '.join(Scope)}.")
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    now = database.execute(select(func.clock_timestamp())).scalar_one()
    values = {
        "name": name,
        "scopes": " ".join(chosen),
        "hash": _hash(secret),
        "expires_at": None if lasts is None else now + lasts,
    }
    added = insert(OperatorKey).values(values).on_conflict_do_nothing().returning(OperatorKey)
    key = database.execute(added).scalar_one_or_none()
    if key is None:
        raise AlreadyExists(f"There is or was a key named {name!r} already.")
    record(
        database,
        Action.OPERATOR_KEY_ADDED,
        key.id,
        name=name,
        scopes=key.scopes,
        sha256=key.hash.hex(),
        expiresAt=key.expires_at,
    )
    return _shown(key), f"bok_{key.id}_{secret}"


def revoke_operator_key(database: DbSession, name: str) -> ShownKey:
    """Revoke a key, from the next request on. A repeat changes nothing. Raises NotFound."""
    now = func.coalesce(col(OperatorKey.revoked_at), func.clock_timestamp())
    statement = update(OperatorKey).where(col(OperatorKey.name) == name).values(revoked_at=now)
    revoked = database.execute(statement.returning(OperatorKey)).first()
    if revoked is None:
        raise NotFound(f"There is no key named {name!r}.")
    key = _shown(revoked[0])
    record(database, Action.OPERATOR_KEY_REVOKED, key.id, revokedAt=key.revoked_at)
    return key


def list_operator_keys(database: DbSession) -> list[ShownKey]:
    """All keys that ever were, the oldest first."""
    found = database.exec(select(OperatorKey).order_by(col(OperatorKey.id)))
    return [_shown(key) for key in found]


def check_operator_key(database_url: str, presented: str) -> ShownKey:
    """The key, if it is good now. Its use is recorded, at most once per minute.

    It takes as long for an unknown key as for a wrong one. Raises BadKey, or EndedKey.
    """
    form = _FORM.fullmatch(presented)
    if form is None:
        raise BadKey
    with transaction(database_url) as database:
        row = database.execute(
            select(OperatorKey, func.clock_timestamp()).where(OperatorKey.id == int(form[1]))
        ).first()
        key, now = (None, None) if row is None else row
        secret = presented.split("_", 2)[2]
        is_right = hmac.compare_digest(_hash(secret), _NO_HASH if key is None else key.hash)
        if key is None or not is_right:
            raise BadKey
        if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            raise EndedKey
        database.execute(_USED, {"id": key.id})
        return _shown(key)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _shown(key: OperatorKey) -> ShownKey:
    if key.id is None or key.created_at is None:
        raise ValueError("a key that is not recorded")
    scopes = tuple(key.scopes.split())
    ends = (key.expires_at, key.revoked_at, key.last_used_at)
    return ShownKey(key.id, key.name, scopes, key.created_at, *ends)
