"""Players and their accounts. The first use makes them, and operators block them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeVar

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.audit.log import Action, record
from models.commands import CashCommand, Deposit, read_text
from models.directory.currencies import use_currency
from models.errors import NotFound
from models.money import ZERO
from models.tables import Account, Currency, Player

Item = TypeVar("Item")

PlayerStatus = Literal["active", "blocked"]


@dataclass(frozen=True, slots=True)
class PlayerAccount:
    """Where a player's money is, and how much there is now."""

    account_id: int
    balance: Decimal
    decimals: int  # of the account's currency


def use_accounts(
    database: DbSession, external_ids: Sequence[str], currency: str
) -> list[PlayerAccount]:
    """The accounts of these players in one currency. It makes missing players and accounts.

    Raises InvalidRequest when an id is not valid, and UnknownCurrency.
    """
    names = [read_text(external_id, "player") for external_id in external_ids]
    decimals = use_currency(database, currency).decimals
    accounts = _accounts(database, names, currency)
    return [PlayerAccount(*accounts[name], decimals) for name in names]


def use_house(database: DbSession, provider_id: int, currency: str) -> int:
    """The id of a provider's house account in a currency that is recorded. It makes a missing one.

    Wins are paid from it, and stakes go to it.
    """
    house = {"kind": "house", "provider_id": provider_id, "currency": currency}
    facts: dict[str, str | int] = {"kind": "house", "provider": provider_id, "currency": currency}
    opened = insert(Account).values(house).on_conflict_do_nothing().returning(col(Account.id))
    for (id_,) in database.execute(opened):
        record(database, Action.ACCOUNT_OPENED, id_, **facts)
    known = select(Account.id).where(
        Account.provider_id == provider_id, Account.currency == currency
    )
    return database.exec(known).one() or 0


def find_account(database: DbSession, external_id: str, currency: str) -> PlayerAccount:
    """The account of a player in a currency.

    It makes nothing. Raises NotFound or InvalidRequest.
    """
    player = _find_player(database, external_id)
    found = database.exec(
        select(Account, Currency.decimals)
        .join(Currency, col(Currency.code) == col(Account.currency))
        .where(Account.player_id == player.id, Account.currency == currency)
    ).one_or_none()
    if found is None:
        raise NotFound(f"The player {external_id!r} has no account in {currency!r}.")
    account, decimals = found
    return PlayerAccount(account.id or 0, account.balance or ZERO, decimals)


def find_blocked(database: DbSession, external_ids: Sequence[str]) -> str | None:
    """One of these players that is blocked, or None. Raises InvalidRequest for an invalid id."""
    for names in _chunks([read_text(external_id, "player") for external_id in external_ids]):
        blocked = select(Player.external_id).where(Player.status == "blocked")
        if found := database.exec(blocked.where(col(Player.external_id).in_(names))).first():
            return found
    return None


def is_player(database: DbSession, external_id: str) -> bool:
    """Whether there is such a player. Raises InvalidRequest for an invalid id."""
    name = read_text(external_id, "player")
    return database.exec(select(Player.id).where(Player.external_id == name)).first() is not None


def set_player_status(database: DbSession, external_id: str, status: PlayerStatus) -> None:
    """Block a player, or unblock it, from the next bet on. A repeat is harmless.

    Raises NotFound or InvalidRequest.
    """
    player = _find_player(database, external_id, lock=True)
    player.status = status
    action = {"active": Action.PLAYER_UNBLOCKED, "blocked": Action.PLAYER_BLOCKED}[status]
    record(database, action, player.id, status=status)


def request_cash(database: DbSession, command: CashCommand) -> None:
    """Record that an operator requests a deposit or withdrawal.

    Send the command after the commit.
    """
    is_deposit = isinstance(command, Deposit)
    action = Action.DEPOSIT_REQUESTED if is_deposit else Action.WITHDRAWAL_REQUESTED
    record(database, action, command.account_id, reference=command.reference, amount=command.amount)


def order_cash(
    database: DbSession,
    kind: type[CashCommand],
    external_id: str,
    currency: str,
    amount: str,
    reference: str,
) -> CashCommand:
    """The command that moves a player's money, recorded as requested. Send it after the commit.

    A deposit makes a player or account that does not exist yet. Raises InvalidRequest,
    UnknownCurrency, or NotFound for a withdrawal from an account that does not exist.
    """
    if issubclass(kind, Deposit):
        (account,) = use_accounts(database, [external_id], currency)
    else:
        account = find_account(database, external_id, currency)
    command = kind.read(account.account_id, reference, amount, account.decimals)
    request_cash(database, command)
    return command


def _find_player(database: DbSession, external_id: str, *, lock: bool = False) -> Player:
    name = read_text(external_id, "player")
    statement = select(Player).where(Player.external_id == name)
    if lock:
        statement = statement.with_for_update(key_share=True)
    found = database.exec(statement).one_or_none()
    if found is None:
        raise NotFound(f"There is no player {name!r}.")
    return found


def _accounts(
    database: DbSession, external_ids: Sequence[str], currency: str
) -> dict[str, tuple[int, Decimal]]:
    """The accounts of these players, with missing ones made, in sorted order against deadlocks."""
    found: dict[str, tuple[int, Decimal]] = {}
    for names in _chunks(sorted(set(external_ids))):
        players = [{"external_id": name, "status": "active"} for name in names]
        made = (
            insert(Player)
            .on_conflict_do_nothing()
            .returning(col(Player.id), col(Player.external_id))
        )
        for id_, name in database.execute(made, players):
            record(database, Action.PLAYER_ADDED, id_, externalId=name, status="active")
        known = select(Player.external_id, Player.id).where(col(Player.external_id).in_(names))
        ids = dict(database.exec(known).all())
        # The database sets the balance: 0.
        fresh = [{"kind": "player", "player_id": ids[name], "currency": currency} for name in names]
        names_by_id = {id_: name for name, id_ in ids.items()}
        opened = (
            insert(Account)
            .on_conflict_do_nothing()
            .returning(col(Account.id), col(Account.player_id))
        )
        for id_, player_id in database.execute(opened, fresh):
            owner = {"player": player_id, "externalId": names_by_id[player_id]}
            facts = {"kind": "player", "currency": currency}
            record(database, Action.ACCOUNT_OPENED, id_, **owner, **facts)
        accounts = select(col(Account.player_id), col(Account.id), col(Account.balance)).where(
            col(Account.player_id).in_(ids.values()), Account.currency == currency
        )
        of_player = {
            player_id: (account_id or 0, balance or ZERO)
            for player_id, account_id, balance in database.exec(accounts)
        }
        found |= {name: of_player[ids[name]] for name in names}
    return found


def _chunks(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Insert in parts, because PostgreSQL takes at most 65,535 parameters per statement."""
    return [items[start : start + 1000] for start in range(0, len(items), 1000)]
