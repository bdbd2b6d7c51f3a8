"""Open bets by age: those whose pay-out or refund has not come. They are read in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text

from models.database.transactions import transaction
from models.directory.providers import find_provider
from models.play_money import PATTERN
from models.reports.paging import Listing

_UNTIL = text("select now() - cast(:age as interval)")

#: One page. The index `bet_open` has these bets in this order, and those with play money.
PAGE = text("""
    select bet.id, bet.bet_id, bet.round_id, bet.stake, account.currency, account.id,
           player.external_id, bet.session_id, bet.created_at
    from (
        select * from bet
        where provider_id = :provider and state = 'open' and created_at <= :until
          and (created_at, id) > (cast(:after as timestamptz), :after_id)
          and exists (select from account
                      where account.id = bet.account_id and account.currency not like :play)
        order by created_at, id limit :rows
    ) bet
    join account on account.id = bet.account_id
    left join player on player.id = account.player_id
    order by bet.created_at, bet.id
""")


@dataclass(frozen=True, slots=True)
class OpenBet:
    """A stake that was taken, and whose outcome is not known yet."""

    bet_id: str
    round_id: str | None
    stake: Decimal
    currency: str
    account_id: int
    player: str  # its id in the operator's own system
    session_id: str
    created_at: datetime


def list_open_bets(database_url: str, counterparty_id: str, age: timedelta) -> Listing[OpenBet]:
    """The open bets of a provider that were recorded at least `age` ago, the oldest first.

    Bets with play money are left out. The others are read as the caller takes them, without an open
    transaction in between. Each bet was open when its page was read. Raises NotFound.
    """
    with transaction(database_url) as database:
        provider_id = find_provider(database, counterparty_id).id
        until = database.execute(_UNTIL, {"age": age}).scalar_one()
    first = {"provider": provider_id, "until": until, "after": "-infinity", "after_id": 0}
    first["play"] = PATTERN
    return Listing(
        database_url, PAGE, first, lambda row: {"after": row.created_at, "after_id": row[0]}, _bet
    )


def _bet(row: Row[Any]) -> OpenBet:
    columns: Sequence[Any] = row[1:]
    return OpenBet(*columns)
