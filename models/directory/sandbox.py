"""A sandbox: a database of play money, whose providers help themselves (docs/adr/0033).

The mark in the database makes it a sandbox. It is set once, while the database has no provider, and
stays. So a setting alone never opens a database with real providers.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.audit.log import Action, Author, operation, record
from models.database.failures import unavailable
from models.database.transactions import transaction
from models.directory.operator_keys import BadKey
from models.directory.providers import find_provider
from models.errors import BetcoreError
from models.tables import Provider, SandboxMark, SandboxToken

PLAYERS_MAX = 10_000  # per provider
SESSIONS_MAX = 100_000  # per provider
_SECRET_BYTES = 32
_FORM = re.compile(r"bst_([1-9][0-9]{0,8})_[A-Za-z0-9_-]{43}")
_NO_HASH = bytes(32)


class NotASandbox(BetcoreError):  # noqa: N818
    """The database is no sandbox."""


class IsASandbox(BetcoreError):  # noqa: N818
    """The database is a sandbox, but BETCORE_SANDBOX is not set: set it, or use another one."""


class SandboxFull(BetcoreError):  # noqa: N818
    """The sandbox makes no more of these."""


@dataclass(frozen=True, slots=True)
class SandboxProvider:
    """A provider that the sandbox made. `id` is that of its row."""

    id: int
    counterparty_id: str


def is_sandbox(database_url: str) -> bool:
    """Whether the database is marked as a sandbox. Raises LedgerUnavailable."""
    with unavailable(), transaction(database_url) as database:
        return database.get(SandboxMark, 1) is not None


def require_sandbox(database_url: str) -> None:
    """Raises NotASandbox unless the database is marked as one."""
    if not is_sandbox(database_url):
        raise NotASandbox(
            "BETCORE_SANDBOX is set, but the database is no sandbox. `betcore up --sandbox` or a"
            " portal with this setting makes an empty database one: start that first."
        )


def mark_sandbox(database_url: str, author: Author) -> None:
    """Make the database a sandbox. A repeat changes nothing.

    Raises NotASandbox if it has providers already, because these may be real ones.
    """
    with unavailable(), operation(database_url, author) as database:
        if database.get(SandboxMark, 1) is not None:
            return
        if database.exec(select(Provider.id).limit(1)).first() is not None:
            raise NotASandbox(
                "BETCORE_SANDBOX is set, but the database has providers that no sandbox made. A"
                " sandbox needs a database of its own: name another DATABASE_URL, or another folder"
                " by --data-dir."
            )
        made = insert(SandboxMark).values(id=1).on_conflict_do_nothing()
        if database.execute(made.returning(col(SandboxMark.id))).first() is not None:
            record(database, Action.SANDBOX_MARKED, 1)


def add_token(database: DbSession, counterparty_id: str, providers_max: int) -> str:
    """Give a provider its token, which is shown only this once.

    Raises SandboxFull if the sandbox has made `providers_max` providers already.
    """
    made = database.execute(select(func.count()).select_from(SandboxToken)).scalar_one()
    if made >= providers_max:
        raise SandboxFull("The sandbox has made as many providers as it may. Ask who hosts it.")
    provider = find_provider(database, counterparty_id)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    hash_ = _hash(secret)
    database.execute(insert(SandboxToken).values(provider_id=provider.id, hash=hash_))
    record(database, Action.SANDBOX_TOKEN_ADDED, provider.id, sha256=hash_.hex())
    return f"bst_{provider.id}_{secret}"


def check_token(database_url: str, presented: str) -> SandboxProvider:
    """The provider of a token. It takes as long for an unknown token. Raises BadKey."""
    form = _FORM.fullmatch(presented)
    if form is None:
        raise BadKey
    with transaction(database_url) as database:
        found = database.execute(
            select(col(SandboxToken.hash), col(Provider.counterparty_id))
            .join(Provider, col(Provider.id) == col(SandboxToken.provider_id))
            .where(col(SandboxToken.provider_id) == int(form[1]))
        ).first()
    known, counterparty_id = (_NO_HASH, "") if found is None else found
    is_right = hmac.compare_digest(_hash(presented.split("_", 2)[2]), known)
    if found is None or not is_right:
        raise BadKey
    return SandboxProvider(int(form[1]), counterparty_id)


def count_one(
    database: DbSession, provider: SandboxProvider, what: Literal["players", "sessions"]
) -> None:
    """Count a player or session that a provider makes. Raises SandboxFull above the limit."""
    most = {"players": PLAYERS_MAX, "sessions": SESSIONS_MAX}[what]
    counted = col(getattr(SandboxToken, what))
    more = (
        update(SandboxToken)
        .where(col(SandboxToken.provider_id) == provider.id, counted < most)
        .values({what: counted + 1})
    )
    if database.execute(more.returning(counted)).first() is None:
        raise SandboxFull(
            f"A provider of the sandbox makes at most {most} {what}: make another provider."
        )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
