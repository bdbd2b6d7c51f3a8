"""What a provider may do: lock, allow-list, requests per second, largest wins (docs/adr/0024).

Gateways know a change within 2 s, and workers from the next batch on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import IPv6Network, ip_network

from sqlmodel import Session as DbSession
from sqlmodel import col, select

from models.audit.facts import UNSET
from models.audit.log import Action, record
from models.directory.accounts import use_house
from models.directory.currencies import use_currency
from models.directory.providers import find_provider
from models.errors import InvalidRequest
from models.money import AMOUNT_LIMIT, require_decimals
from models.tables import Account

NETWORKS_MAX = 64
RATE_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class WinLimits:
    """The largest win of one bet, and of all bets of a day (UTC), in one currency.

    None means no limit.
    """

    currency: str
    max_win: Decimal | None
    max_daily_win: Decimal | None


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """The limits of a provider. A rate of None means no limit. `wins` has limited currencies."""

    rate_max: int | None  # requests per second
    wins: tuple[WinLimits, ...]  # by currency


@dataclass(frozen=True, slots=True)
class LimitChange:
    """What to change. A currency that is not named keeps its limits; None takes a limit away."""

    rate_max: int | None = None  # None: the rate stays
    without_rate: bool = False
    max_win: Mapping[str, Decimal | None] = field(default_factory=dict)
    max_daily_win: Mapping[str, Decimal | None] = field(default_factory=dict)


def set_lock(database: DbSession, counterparty_id: str, *, locked: bool) -> None:
    """Accept no call of a provider at all, or accept calls again. A repeat is harmless.

    Its signatures count for nothing within 2 s. Commands that were admitted before are still
    applied. Raises NotFound.
    """
    provider = find_provider(database, counterparty_id, lock=True)
    provider.locked = locked
    action = Action.PROVIDER_LOCKED if locked else Action.PROVIDER_UNLOCKED
    record(database, action, provider.id, locked="yes" if locked else UNSET)


def set_allow_list(
    database: DbSession, counterparty_id: str, networks: Sequence[str]
) -> tuple[str, ...]:
    """Accept calls of a provider only from these networks, or from anywhere if there are none.

    Returns the networks as they are recorded. Raises NotFound or InvalidRequest.
    """
    read = tuple(dict.fromkeys(_network(text) for text in networks))
    if len(read) > NETWORKS_MAX:
        raise InvalidRequest(f"An allow-list has at most {NETWORKS_MAX} networks.")
    provider = find_provider(database, counterparty_id, lock=True)
    provider.networks = list(read) or None
    record(database, Action.PROVIDER_ALLOW_LIST, provider.id, networks=" ".join(read) or UNSET)
    return read


def show_limits(database: DbSession, counterparty_id: str) -> ProviderLimits:
    """The limits of a provider. Raises NotFound."""
    provider = find_provider(database, counterparty_id)
    limited = col(Account.max_win).is_not(None) | col(Account.max_daily_win).is_not(None)
    houses = database.exec(
        select(Account)
        .where(Account.provider_id == provider.id, limited)
        .order_by(Account.currency)
    )
    wins = [WinLimits(house.currency, house.max_win, house.max_daily_win) for house in houses]
    return ProviderLimits(provider.rate_max, tuple(wins))


def set_limits(database: DbSession, counterparty_id: str, change: LimitChange) -> ProviderLimits:
    """Change the limits of a provider, and return all of them. A repeat is harmless.

    Raises NotFound, UnknownCurrency or InvalidRequest.
    """
    provider = find_provider(database, counterparty_id, lock=True)
    if change.rate_max is not None or change.without_rate:
        if change.rate_max is not None and change.without_rate:
            raise InvalidRequest("The rate is both set and taken away.")
        if change.rate_max is not None and not 0 < change.rate_max <= RATE_MAX:
            raise InvalidRequest(f"A rate is 1 to {RATE_MAX} requests per second.")
        provider.rate_max = change.rate_max
        rate = UNSET if change.rate_max is None else change.rate_max
        record(database, Action.PROVIDER_LIMITS, provider.id, rateMax=rate)
    for currency in sorted({*change.max_win, *change.max_daily_win}):
        house_id = use_house(database, provider.id or 0, use_currency(database, currency).code)
        _limit_wins(database, house_id, change)
    database.flush()
    return show_limits(database, counterparty_id)


def replace_limits(
    database: DbSession, counterparty_id: str, limits: ProviderLimits
) -> ProviderLimits:
    """Set exactly these limits, and take all others away. A repeat is harmless.

    Raises NotFound, UnknownCurrency or InvalidRequest.
    """
    find_provider(database, counterparty_id, lock=True)
    before = dict.fromkeys([one.currency for one in show_limits(database, counterparty_id).wins])
    change = LimitChange(
        limits.rate_max,
        limits.rate_max is None,
        before | {one.currency: one.max_win for one in limits.wins},
        before | {one.currency: one.max_daily_win for one in limits.wins},
    )
    return set_limits(database, counterparty_id, change)


def _limit_wins(database: DbSession, house_id: int, change: LimitChange) -> None:
    """Set the limits of wins on the house account that pays them."""
    locked = select(Account).where(Account.id == house_id).with_for_update(key_share=True)
    house = database.exec(locked).one()
    decimals = use_currency(database, house.currency).decimals
    facts: dict[str, str | Decimal] = {}
    if house.currency in change.max_win:
        house.max_win = _amount(change.max_win[house.currency], house.currency, decimals)
        facts["maxWin"] = UNSET if house.max_win is None else house.max_win
    if house.currency in change.max_daily_win:
        most = _amount(change.max_daily_win[house.currency], house.currency, decimals)
        house.max_daily_win = most
        facts["maxDailyWin"] = UNSET if most is None else most
    record(database, Action.ACCOUNT_LIMITS, house_id, **facts)


def _amount(amount: Decimal | None, currency: str, decimals: int) -> Decimal | None:
    if amount is None:
        return None
    if not 0 <= amount < AMOUNT_LIMIT:
        raise InvalidRequest("A limit of wins is 0 or more, and below 10^15.")
    return require_decimals(amount, decimals, f"A limit in {currency}")


def _network(text: str) -> str:
    """A network in its one form, such as `192.0.2.0/24`. An address is a network of one."""
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise InvalidRequest(
            f"{text!r} is not a network, such as 192.0.2.0/24 or 2001:db8::/32: {error}."
        ) from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise InvalidRequest(f"{text!r} stands for IPv4 addresses: write them as such.")
    return str(network)
