"""Sessions. Operators and launches open and close them."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.audit.log import Action, record
from models.commands import read_text
from models.directory.accounts import (
    PlayerAccount,
    find_blocked,
    use_accounts_in,
    use_house,
)
from models.directory.currencies import use_currency, use_play_currency
from models.directory.games import require_game
from models.directory.providers import find_provider
from models.errors import (
    Ended,
    InvalidRequest,
    NotFound,
    PlayerBlocked,
    ProviderLocked,
    ProviderSuspended,
)
from models.money import require_decimals
from models.tables import Provider, Session

_ID_BYTES = 16
_LANGUAGE = re.compile(r"(?=.{2,35}$)[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")

REAL = "real"
DEMO = "demo"  # with play money, in an account of its own

_LOCK_PLAYERS = text("""
    select from player where id in (select player_id from account where id = any(:accounts))
    order by id for no key update
""")
_CLOSE_OPEN = text("""
    update session set closed_at = clock_timestamp()
    where account_id = any(:accounts) and provider_id = :provider and closed_at is null
      and expires_at > clock_timestamp()
    returning id, closed_at
""")


@dataclass(frozen=True, slots=True)
class Opening:
    """The properties of a new session. A limit of None means no limit.

    `game` and `language` (BCP 47) are for the game's launch. None means that they were not named.
    """

    counterparty_id: str
    currency: str
    min_bet: Decimal | None
    max_bet: Decimal | None
    lasts: timedelta
    game: str | None = None
    language: str | None = None
    mode: str = REAL
    replace: bool = False  # whether it closes the player's other sessions (see `open_sessions`)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened, and where its money is."""

    session_id: str
    account_id: int
    balance: Decimal
    decimals: int
    expires_at: datetime


def open_accounts(
    database: DbSession, opening: Opening, external_ids: Sequence[str]
) -> list[PlayerAccount]:
    """The accounts on which such sessions act, one per player. It opens no session.

    It makes missing players and accounts. The same player and currency give the same account again;
    a demo has an account of its own, of play money. Raises what `open_sessions` raises.
    """
    limits = [limit for limit in (opening.min_bet, opening.max_bet) if limit is not None]
    if len(limits) == 2 and limits[0] > limits[1]:
        raise InvalidRequest("The minimum bet is above the maximum bet.")
    if opening.lasts <= timedelta(0):
        raise InvalidRequest("A session must last longer than 0 s.")
    _require_launch(opening)
    provider = find_provider(database, opening.counterparty_id)
    _require_may_play(database, provider, external_ids)
    if opening.game is not None:
        require_game(database, provider.id or 0, opening.game)
    use = use_play_currency if opening.mode == DEMO else use_currency
    currency = use(database, opening.currency)
    for limit in limits:
        require_decimals(limit, currency.decimals, f"A limit in {currency.code}")
    use_house(database, provider.id or 0, currency.code)
    return use_accounts_in(database, external_ids, currency)


def _require_may_play(database: DbSession, provider: Provider, external_ids: Sequence[str]) -> None:
    if provider.locked:
        raise ProviderLocked(f"The provider {provider.counterparty_id!r} is locked: unlock it.")
    if provider.status != "active":
        raise ProviderSuspended(
            f"The provider {provider.counterparty_id!r} is suspended: resume it."
        )
    blocked = find_blocked(database, external_ids)
    if blocked is not None:
        raise PlayerBlocked(f"The player {blocked!r} is blocked: unblock it.")


def open_sessions(
    database: DbSession, opening: Opening, external_ids: Sequence[str]
) -> list[Opened]:
    """Open one session per player, within the caller's transaction.

    It makes missing players and accounts. The same player and currency give the same account again.
    One that replaces closes the sessions that the player has at this provider in this currency.
    Raises NotFound (also for a game that the provider's list does not have), UnknownCurrency or
    InvalidRequest, and ProviderSuspended, ProviderLocked or
    PlayerBlocked, because every bet would be refused.
    """
    accounts = open_accounts(database, opening, external_ids)
    provider = find_provider(database, opening.counterparty_id)
    _replace_others(database, opening, provider, accounts)
    times = select(func.now(), func.clock_timestamp() + opening.lasts)
    opened_at, expires_at = database.execute(times).one()
    opened, rows = list[Opened](), list[dict[str, object]]()
    same = {
        "provider_id": provider.id,
        "min_bet": opening.min_bet,
        "max_bet": opening.max_bet,
        "opened_at": opened_at,
        "expires_at": expires_at,
        "game": opening.game,
        "language": opening.language,
        "mode": opening.mode,
    }
    for account in accounts:
        session_id = secrets.token_hex(_ID_BYTES)
        place = (account.account_id, account.balance, account.decimals)
        opened.append(Opened(session_id, *place, expires_at))
        rows.append({"id": session_id, "account_id": account.account_id, **same})
        _record_opened(database, rows[-1])
    if rows:
        database.execute(insert(Session), rows)
    return opened


def _record_opened(database: DbSession, row: Mapping[str, Any]) -> None:
    record(
        database,
        Action.SESSION_OPENED,
        str(row["id"]),
        provider=row["provider_id"],
        account=row["account_id"],
        minBet=row["min_bet"],
        maxBet=row["max_bet"],
        openedAt=row["opened_at"],
        expiresAt=row["expires_at"],
        game=row["game"],
        language=row["language"],
        mode=None if row["mode"] == REAL else row["mode"],
    )


def extend_session(database: DbSession, session_id: str, lasts: timedelta) -> datetime:
    """Let a session that accepts bets last for `lasts` from now. Returns the time of its end.

    It never ends earlier than before. Raises NotFound, and Ended if it was closed or has expired.
    """
    statement = select(Session).where(col(Session.id) == session_id)
    found = database.execute(statement.with_for_update(key_share=True)).first()
    if found is None:
        raise NotFound(f"There is no session {session_id!r}.")
    (session,) = found
    now = database.execute(select(func.clock_timestamp())).scalar_one()  # after the wait
    if session.closed_at is not None or session.expires_at <= now:
        how = "was closed" if session.closed_at is not None else "has expired"
        raise Ended(f"The session {session_id!r} {how}: open another one.")
    until: datetime = now + lasts
    if until > session.expires_at:
        session.expires_at = until
        record(database, Action.SESSION_EXTENDED, session_id, expiresAt=until)
    expires_at: datetime = session.expires_at
    return expires_at


def expire_session(database: DbSession, session_id: str) -> datetime:
    """Let a session's time be over now. Returns the time of its end.

    It never ends later than before. Raises NotFound.
    """
    now = func.least(col(Session.expires_at), func.clock_timestamp())
    statement = update(Session).where(col(Session.id) == session_id).values(expires_at=now)
    expired = database.execute(statement.returning(col(Session.expires_at))).first()
    if expired is None:
        raise NotFound(f"There is no session {session_id!r}.")
    expires_at: datetime = expired[0]
    record(database, Action.SESSION_EXPIRED, session_id, expiresAt=expires_at)
    return expires_at


def close_session(database: DbSession, session_id: str) -> datetime:
    """Close a session from now on. Returns the time at which it was closed.

    A repeat changes nothing. Raises NotFound.
    """
    now = func.coalesce(col(Session.closed_at), func.clock_timestamp())
    statement = update(Session).where(col(Session.id) == session_id).values(closed_at=now)
    closed = database.execute(statement.returning(col(Session.closed_at))).first()
    if closed is None:
        raise NotFound(f"There is no session {session_id!r}.")
    closed_at: datetime = closed[0]
    record(database, Action.SESSION_CLOSED, session_id, closedAt=closed_at)
    return closed_at


def _replace_others(
    database: DbSession, opening: Opening, provider: Provider, accounts: Sequence[PlayerAccount]
) -> None:
    """Close the open sessions of these accounts at the provider, if the opening replaces them.

    Of two that replace at once, the second waits, and closes the session of the first.
    """
    if not opening.replace:
        return
    owned = {"provider": provider.id, "accounts": [account.account_id for account in accounts]}
    database.execute(_LOCK_PLAYERS, owned)
    for session_id, closed_at in database.execute(_CLOSE_OPEN, owned).all():
        record(database, Action.SESSION_CLOSED, session_id, closedAt=closed_at)


def _require_launch(opening: Opening) -> None:
    """Raise InvalidRequest if the game, language or mode cannot be recorded."""
    if opening.mode not in (REAL, DEMO):
        raise InvalidRequest(f"mode must be {REAL!r} or {DEMO!r}.")
    if opening.game is not None:
        read_text(opening.game, "game")
    if opening.language is not None and not _LANGUAGE.fullmatch(opening.language):
        raise InvalidRequest("language must be a tag such as 'en' or 'pt-BR'.")
