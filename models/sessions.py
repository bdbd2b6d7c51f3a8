"""Sessions: opened and closed by operators and launches; and the accounts they bring into being."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session as Database
from sqlmodel import col, select

from models.commands import read_text
from models.currencies import use_currency
from models.errors import InvalidRequest, NotFound
from models.providers import find_provider
from models.tables import Account, Player, Session

_ID_BYTES = 16

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Opening:
    """What a new session is to be; limits of None are none."""

    counterparty_id: str
    currency: str
    min_bet: Decimal | None
    max_bet: Decimal | None
    lasts: timedelta


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened, and where its money is."""

    session_id: str
    account_id: int
    balance: Decimal
    decimals: int


def open_sessions(
    database: Database, opening: Opening, external_ids: Sequence[str]
) -> list[Opened]:
    """Open one session for each player, in one transaction of the caller's.

    A player or account that does not exist yet is made; the same player and currency again means
    the same account. Raises NotFound, UnknownCurrency or InvalidRequest.
    """
    limits = [limit for limit in (opening.min_bet, opening.max_bet) if limit is not None]
    if len(limits) == 2 and limits[0] > limits[1]:
        raise InvalidRequest("The minimum bet is above the maximum bet.")
    if opening.lasts <= timedelta(0):
        raise InvalidRequest("A session must last longer than no time.")
    names = [read_text(external_id, "player") for external_id in external_ids]
    provider = find_provider(database, opening.counterparty_id)
    currency = use_currency(database, opening.currency)
    house = {"kind": "house", "provider_id": provider.id, "currency": currency.code, "last_seq": 0}
    database.execute(insert(Account).values(house).on_conflict_do_nothing())
    accounts = _accounts(database, names, currency.code)
    expires_at = func.clock_timestamp() + opening.lasts
    opened = []
    rows: list[dict[str, object]] = []
    for name in names:
        account_id, balance = accounts[name]
        session_id = secrets.token_hex(_ID_BYTES)
        opened.append(Opened(session_id, account_id, balance, currency.decimals))
        rows.append(
            {
                "id": session_id,
                "provider_id": provider.id,
                "account_id": account_id,
                "min_bet": opening.min_bet,
                "max_bet": opening.max_bet,
                "expires_at": expires_at,
            }
        )
    for chunk in _chunks(rows):
        database.execute(insert(Session).values(chunk))
    return opened


def close_session(database: Database, session_id: str) -> None:
    """Close a session from now on; closing it again changes nothing. Raises NotFound."""
    closed = func.coalesce(col(Session.closed_at), func.clock_timestamp())
    statement = update(Session).where(col(Session.id) == session_id).values(closed_at=closed)
    if database.execute(statement.returning(col(Session.id))).first() is None:
        raise NotFound(f"There is no session {session_id!r}.")


def _accounts(
    database: Database, external_ids: Sequence[str], currency: str
) -> dict[str, tuple[int, Decimal]]:
    """The accounts of these players, made where missing, in sorted order against deadlocks."""
    found: dict[str, tuple[int, Decimal]] = {}
    for names in _chunks(sorted(set(external_ids))):
        players = [{"external_id": name, "status": "active"} for name in names]
        database.execute(insert(Player).values(players).on_conflict_do_nothing())
        known = select(Player.external_id, Player.id).where(col(Player.external_id).in_(names))
        ids = dict(database.exec(known).all())
        fresh = [
            {"kind": "player", "player_id": ids[name], "currency": currency, "balance": 0}
            | {"last_seq": 0}
            for name in names
        ]
        database.execute(insert(Account).values(fresh).on_conflict_do_nothing())
        accounts = select(Account).where(
            col(Account.player_id).in_(ids.values()), Account.currency == currency
        )
        of_player = {
            account.player_id: (account.id or 0, account.balance or Decimal(0))
            for account in database.exec(accounts)
        }
        found |= {name: of_player[ids[name]] for name in names}
    return found


def _chunks(items: Sequence[Item]) -> list[Sequence[Item]]:
    """In parts: PostgreSQL takes at most 65,535 parameters a statement."""
    return [items[start : start + 1000] for start in range(0, len(items), 1000)]
