"""Who plays, for whom and in which sessions, for operators. Nothing is changed here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text
from sqlmodel import Session as DbSession

from models.commands import read_text
from models.database.transactions import transaction
from models.directory.provider_rules import ProviderLimits, show_limits
from models.directory.providers import Secret, find_provider, list_secrets
from models.errors import NotFound
from models.reports.paging import Listing


@dataclass(frozen=True, slots=True)
class OwnedAccount:
    """An account of a player or a provider. Only a player's account has a balance."""

    account_id: int
    currency: str
    balance: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ShownAccount:
    """An account of a player or a provider, or the cash account of a currency."""

    account_id: int
    kind: str  # player, house or cash
    owner: str | None  # the player's own id, or the provider's `X-Counterparty-Id`
    currency: str
    balance: Decimal | None  # only of a player's account; that of another is the sum of transfers


@dataclass(frozen=True, slots=True)
class ListedProvider:
    """A provider, and the number of secrets with which it may sign now."""

    counterparty_id: str
    name: str
    status: str
    active_secrets: int
    created_at: datetime
    locked: bool
    url: str | None  # where we call it


@dataclass(frozen=True, slots=True)
class ShownProvider:
    """A provider with its secrets, the oldest first, and its house accounts, by currency."""

    provider: ListedProvider
    secrets: tuple[Secret, ...]
    accounts: tuple[OwnedAccount, ...]
    networks: tuple[str, ...]  # from which it may call; none: from anywhere
    limits: ProviderLimits
    games_synced_at: datetime | None  # when its list of games was last recorded
    games_trouble: str | None  # why the last try to record it failed


@dataclass(frozen=True, slots=True)
class ListedPlayer:
    """A player. `player` is its id in the operator's own system."""

    player: str
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ShownPlayer:
    """A player with its accounts, by currency."""

    player: ListedPlayer
    accounts: tuple[OwnedAccount, ...]


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session as it is now.

    `state` is open, expired or closed. A limit of None means no limit.
    """

    session_id: str
    state: str
    provider: str  # its `X-Counterparty-Id`
    player: str
    account_id: int
    currency: str
    min_bet: Decimal | None
    max_bet: Decimal | None
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    game: str | None
    language: str | None
    mode: str

    @property
    def ended_at(self) -> datetime | None:
        """The time from which on it accepted no new bets, or None while it does."""
        return (
            None
            if self.state == "open"
            else min(self.closed_at or self.expires_at, self.expires_at)
        )

    @property
    def end_reason(self) -> str | None:
        """Why it ended: `closed` by an operator, or `expired`. None while it is open."""
        if self.state == "open":
            return None
        return "closed" if self.closed_at and self.closed_at < self.expires_at else "expired"


_PROVIDERS = text("""
    select counterparty_id, name, status,
           (select count(*) from provider_secret s
            where s.provider_id = provider.id and s.revoked_at is null),
           created_at, locked, url
    from provider where cast(:only as text) is null or counterparty_id = :only order by id
""")

_CATALOGUE = text("""
    select c.synced_at, c.trouble from catalogue c join provider on provider.id = c.provider_id
    where provider.counterparty_id = :provider
""")

_HOUSES = text("""
    select a.id, a.currency from account a join provider on provider.id = a.provider_id
    where a.kind = 'house' and provider.counterparty_id = :provider order by a.currency
""")

_PLAYERS = text("""
    select external_id, status, created_at, id from player
    where id > :after and (cast(:status as text) is null or status = :status)
    order by id limit :rows
""")

_PLAYER = text("select external_id, status, created_at from player where external_id = :player")

_ACCOUNTS = text("""
    select a.id, a.currency, a.balance from account a join player on player.id = a.player_id
    where player.external_id = :player order by a.currency
""")

_ACCOUNT = text("""
    select a.id, a.kind, coalesce(player.external_id, provider.counterparty_id), a.currency,
           case when a.kind = 'player' then a.balance end
    from account a
    left join player on player.id = a.player_id
    left join provider on provider.id = a.provider_id
    where a.id = :account
""")

_SESSION = """
    select s.id, case when s.closed_at is not null then 'closed'
                      when s.expires_at <= clock_timestamp() then 'expired' else 'open' end,
           provider.counterparty_id, player.external_id, s.account_id, a.currency,
           s.min_bet, s.max_bet, s.opened_at, s.expires_at, s.closed_at,
           s.game, s.language, s.mode
    from session s
    join provider on provider.id = s.provider_id
    join account a on a.id = s.account_id
    join player on player.id = a.player_id
"""

_ONE_SESSION = text(f"{_SESSION} where s.id = :session")

_SESSIONS = text(f"""
    {_SESSION}
    where (cast(:player as text) is null or s.account_id in (
               select mine.id from account mine join player on player.id = mine.player_id
               where player.external_id = :player))
      and (cast(:provider as text) is null or provider.counterparty_id = :provider)
      and (not :open or (s.closed_at is null and s.expires_at > clock_timestamp()))
      and (s.opened_at, s.id) < (cast(:before as timestamptz), :before_id)
    order by s.opened_at desc, s.id desc limit :rows
""")  # noqa: S608 - the only thing put in is a constant


def list_providers(database: DbSession) -> list[ListedProvider]:
    """All providers, the oldest first."""
    return [ListedProvider(*row) for row in database.execute(_PROVIDERS, {"only": None})]


def show_provider(database: DbSession, counterparty_id: str) -> ShownProvider:
    """A provider with what belongs to it. Raises NotFound."""
    find_provider(database, counterparty_id)
    (row,) = database.execute(_PROVIDERS, {"only": counterparty_id})
    accounts = database.execute(_HOUSES, {"provider": counterparty_id})
    return ShownProvider(
        ListedProvider(*row),
        tuple(list_secrets(database, counterparty_id)),
        tuple([OwnedAccount(*account) for account in accounts]),
        tuple(find_provider(database, counterparty_id).networks or ()),
        show_limits(database, counterparty_id),
        *(database.execute(_CATALOGUE, {"provider": counterparty_id}).first() or (None, None)),
    )


def list_players(database_url: str, status: str | None = None) -> Listing[ListedPlayer]:
    """Players of one status or all, in the order in which they came, read as they are taken."""
    first = {"status": status, "after": 0}
    return Listing(database_url, _PLAYERS, first, lambda row: {"after": row.id}, _player)


def _player(row: Row[Any]) -> ListedPlayer:
    return ListedPlayer(row.external_id, row.status, row.created_at)


def show_player(database: DbSession, external_id: str) -> ShownPlayer:
    """A player with its accounts. Raises NotFound or InvalidRequest."""
    name = {"player": read_text(external_id, "player")}
    found = database.execute(_PLAYER, name).one_or_none()
    if found is None:
        raise NotFound(f"There is no player {external_id!r}.")
    accounts = database.execute(_ACCOUNTS, name)
    return ShownPlayer(
        ListedPlayer(*found), tuple([OwnedAccount(*account) for account in accounts])
    )


def show_account(database: DbSession, account_id: int) -> ShownAccount:
    """An account. Raises NotFound."""
    found = database.execute(_ACCOUNT, {"account": account_id}).one_or_none()
    if found is None:
        raise NotFound(f"There is no account {account_id}.")
    return ShownAccount(*found)


def show_session(database: DbSession, session_id: str) -> ShownSession:
    """A session. Raises NotFound."""
    found = database.execute(_ONE_SESSION, {"session": session_id}).one_or_none()
    if found is None:
        raise NotFound(f"There is no session {session_id!r}.")
    return _session(found)


def list_sessions(
    database_url: str,
    *,
    player: str | None = None,
    counterparty_id: str | None = None,
    open_only: bool = False,
) -> Listing[ShownSession]:
    """Sessions of a player, of a provider, or all, the newest first, read as they are taken.

    Raises NotFound or InvalidRequest for a player or provider that does not exist.
    """
    with transaction(database_url) as database:
        if player is not None:
            show_player(database, player)
        if counterparty_id is not None:
            find_provider(database, counterparty_id)
    first = {
        "player": player,
        "provider": counterparty_id,
        "open": open_only,
        "before": "infinity",
        "before_id": "",
    }
    return Listing(
        database_url,
        _SESSIONS,
        first,
        lambda row: {"before": row.opened_at, "before_id": row.id},
        _session,
    )


def _session(row: Sequence[Any]) -> ShownSession:
    return ShownSession(*row)


def find_house_account(database: DbSession, counterparty_id: str, currency: str) -> int:
    """The id of a provider's house account in a currency. Raises NotFound."""
    find_provider(database, counterparty_id)
    for account_id, of in database.execute(_HOUSES, {"provider": counterparty_id}):
        if of == currency:
            return int(account_id)
    raise NotFound(f"The provider {counterparty_id!r} has no house account in {currency!r}.")


def find_cash_account(database: DbSession, currency: str) -> int:
    """The id of the cash account of a currency, the other side of deposits. Raises NotFound."""
    query = text("select id from account where kind = 'cash' and currency = :currency")
    found = database.execute(query, {"currency": currency}).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no cash account in {currency!r}: the currency was never used.")
    return int(found)
