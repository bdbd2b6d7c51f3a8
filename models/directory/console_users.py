"""Users of the console and their logins. Operators add and revoke users, the portal logs them in.

Passwords are generated here, so that none is weak or used elsewhere. They are stored as argon2
hashes. A session's token is a cookie; the table has an HMAC of it with the operator key. So neither
a copy of the database nor the right to write there gives anybody a session.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.audit.log import Action, Author, operation, record
from models.database.transactions import transaction
from models.errors import AlreadyExists, BetcoreError, InvalidRequest, NotFound
from models.tables import ConsoleSession, ConsoleUser

_PASSWORD_BYTES = 18
_PASSWORD_MAX = 256  # of what somebody types
_TOKEN_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASHER = PasswordHasher()

_SEEN = text("""
    update console_session set seen_at = clock_timestamp()
    where hash = :hash and seen_at < clock_timestamp() - interval '1 minute'
""")
_FIND = text("""
    select u.id, u.name, u.role, u.created_at, u.revoked_at
    from console_session s join console_user u on u.id = s.user_id
    where s.hash = :hash and s.ended_at is null and u.revoked_at is null
      and s.expires_at > clock_timestamp()
      and s.seen_at > clock_timestamp() - cast(:idle as interval)
""")


class UserRole(StrEnum):
    """What a user may do. Each role may do all that the ones before it may."""

    SUPPORT = "support"  # reads
    OPERATOR = "operator"  # acts
    ADMIN = "admin"  # manages users and secrets

    def includes(self, other: "UserRole") -> bool:
        """Whether this role may do what the other one may."""
        order = list(UserRole)
        return order.index(self) >= order.index(other)


class BadLogin(BetcoreError):  # noqa: N818
    """The name or the password is wrong."""


@dataclass(frozen=True, slots=True)
class ShownUser:
    """What may be shown about a user: everything except the password."""

    id: int
    name: str
    role: UserRole
    created_at: datetime
    revoked_at: datetime | None


def add_user(database: DbSession, name: str, role: str) -> tuple[ShownUser, str]:
    """Add a user. The second value is the password, which is shown only this once.

    Raises InvalidRequest for a name or role that is not valid, and AlreadyExists if the name was
    ever used.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest("A user's name has 1 to 64 letters, digits, and any of . _ -")
    password, digest = _new_password()
    values = {"name": name, "role": _role(role), "hash": digest}
    added = insert(ConsoleUser).values(values).on_conflict_do_nothing().returning(ConsoleUser)
    user = database.execute(added).scalar_one_or_none()
    if user is None:
        raise AlreadyExists(f"There is or was a user named {name!r} already.")
    facts = {"name": name, "role": user.role, "sha256": _digest(user.hash)}
    record(database, Action.USER_ADDED, user.id, **facts)
    return _shown(user), password


def add_first_user(database_url: str, author: Author, name: str) -> str | None:
    """Add an administrator if there never was a user. Returns the password, or None."""
    with operation(database_url, author) as database:
        if database.exec(select(ConsoleUser.id).limit(1)).first() is not None:
            return None
        return add_user(database, name, UserRole.ADMIN)[1]


def new_password(database: DbSession, name: str) -> tuple[ShownUser, str]:
    """Give a user another password, and end the user's sessions. Returns the password.

    Raises NotFound, also for a revoked user.
    """
    user = _locked(database, name)
    password, user.hash = _new_password()
    record(database, Action.USER_PASSWORD, user.id, sha256=_digest(user.hash))
    _end_sessions(database, user)
    return _shown(user), password


def set_role(database: DbSession, name: str, role: str) -> ShownUser:
    """Give a user another role, from the next request on. A repeat is harmless.

    Raises NotFound or InvalidRequest.
    """
    user = _locked(database, name)
    user.role = _role(role)
    record(database, Action.USER_ROLE, user.id, role=user.role)
    return _shown(user)


def revoke_user(database: DbSession, name: str) -> ShownUser:
    """Let a user do nothing any more, from the next request on. A repeat changes nothing.

    Raises NotFound.
    """
    now = func.coalesce(col(ConsoleUser.revoked_at), func.clock_timestamp())
    statement = update(ConsoleUser).where(col(ConsoleUser.name) == name).values(revoked_at=now)
    revoked = database.execute(statement.returning(ConsoleUser)).first()
    if revoked is None:
        raise NotFound(f"There is no user named {name!r}.")
    user = _shown(revoked[0])
    record(database, Action.USER_REVOKED, user.id, revokedAt=user.revoked_at)
    _end_sessions(database, revoked[0])
    return user


def list_users(database: DbSession) -> list[ShownUser]:
    """All users that ever were, the oldest first."""
    found = database.exec(select(ConsoleUser).order_by(col(ConsoleUser.id)))
    return [_shown(user) for user in found]


def check_password(database_url: str, name: str, password: str) -> ShownUser:
    """The user with this password. It takes as long for an unknown name. Raises BadLogin."""
    with transaction(database_url) as database:
        wanted = select(ConsoleUser).where(ConsoleUser.name == name) if _known(name) else None
        user = None if wanted is None else database.exec(wanted).one_or_none()
    hashed = _of_nobody() if user is None or user.revoked_at is not None else user.hash
    try:
        _HASHER.verify(hashed, password[:_PASSWORD_MAX])
    except (VerificationError, InvalidHashError):
        raise BadLogin from None
    if user is None or user.revoked_at is not None:
        raise BadLogin
    return _shown(user)


def begin_session(database: DbSession, user: ShownUser, key: bytes, lasts: timedelta) -> str:
    """Log a user in. Returns the token, which is new for each login."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    values = {"hash": _token_hash(key, token), "user_id": user.id}
    added = insert(ConsoleSession).values(**values, expires_at=func.now() + lasts)
    database.execute(added)
    record(database, Action.LOGIN_ACCEPTED, user.name, role=user.role)
    return token


def find_session(
    database_url: str, key: bytes, token: str, idle: timedelta, *, is_alive: bool = True
) -> ShownUser | None:
    """Who is logged in with this token, or None. It counts as a sign of life if `is_alive`."""
    values = {"hash": _token_hash(key, token), "idle": idle}
    with transaction(database_url) as database:
        row = database.execute(_FIND, values).one_or_none()
        if row is None:
            return None
        if is_alive:
            database.execute(_SEEN, {"hash": values["hash"]})
    return ShownUser(row.id, row.name, UserRole(row.role), row.created_at, row.revoked_at)


def end_session(database: DbSession, user: ShownUser, key: bytes, token: str) -> None:
    """Log a user out. The token is good for nothing any more."""
    of_token = col(ConsoleSession.hash) == _token_hash(key, token)
    ended = func.coalesce(col(ConsoleSession.ended_at), func.clock_timestamp())
    database.execute(update(ConsoleSession).where(of_token).values(ended_at=ended))
    record(database, Action.LOGIN_ENDED, user.name)


def note_refused_login(database: DbSession, name: str) -> None:
    """Record that somebody tried to log in with a wrong name or password."""
    record(database, Action.LOGIN_REFUSED, name if _known(name) else "no valid name")


def _end_sessions(database: DbSession, user: ConsoleUser) -> None:
    mine = (col(ConsoleSession.user_id) == user.id) & col(ConsoleSession.ended_at).is_(None)
    database.execute(update(ConsoleSession).where(mine).values(ended_at=func.clock_timestamp()))


def _locked(database: DbSession, name: str) -> ConsoleUser:
    statement = select(ConsoleUser).where(ConsoleUser.name == name)
    user = database.exec(statement.with_for_update(key_share=True)).one_or_none()
    if user is None or user.revoked_at is not None:
        raise NotFound(f"There is no user named {name!r}, or it was revoked.")
    return user


def _known(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _role(role: str) -> str:
    if role not in set(UserRole):
        raise InvalidRequest(f"A role is one of {', '.join(UserRole)}.")
    return str(role)


@cache
def _of_nobody() -> str:
    """The hash of a password that nobody has, so that unknown names take as long as others."""
    return _new_password()[1]


def _new_password() -> tuple[str, str]:
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    return password, _HASHER.hash(password)


def _digest(hashed: str) -> str:
    """Shows whether a hash is still the same. `models/audit/facts.py` computes it in SQL."""
    return hashlib.sha256(hashed.encode()).hexdigest()


def _token_hash(key: bytes, token: str) -> bytes:
    return hmac.digest(key, token.encode(errors="replace"), "sha256")


def _shown(user: ConsoleUser) -> ShownUser:
    if user.id is None or user.created_at is None:
        raise ValueError("a user that is not recorded")
    return ShownUser(user.id, user.name, UserRole(user.role), user.created_at, user.revoked_at)
