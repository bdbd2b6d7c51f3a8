"""The statement of a player's account: every transfer in order, a page at a time.

A transfer never changes, so pages read one after the other are what one reading at the first
moment would be; no transaction is open while somebody looks at one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text

from models.db import transaction
from models.errors import InvalidRequest, NotFound

_PAGE_ROWS = 1000

_ACCOUNT = text("""
    select kind, currency, balance,
           coalesce((select max(account_seq) from transfer where account = account.id), 0)
    from account where id = :account
""")

_PAGE = text("""
    select t.account_seq, t.id, t.created_at, t.kind,
           case when t.credit_account = t.account then t.amount else -t.amount end,
           t.balance_after, provider.counterparty_id, bet.bet_id, t.reference
    from (
        select * from transfer
        where account = :account and account_seq > :after and account_seq <= :last
        order by account_seq limit :rows
    ) t
    left join bet on bet.id = t.bet
    left join provider on provider.id = bet.provider_id
    order by t.account_seq
""")


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One transfer; it is of a bet of a provider, or a deposit or withdrawal with a reference."""

    transfer_id: int
    created_at: datetime
    kind: str
    amount: Decimal  # below 0 when the player paid
    balance_after: Decimal
    provider: str | None  # its `X-Counterparty-Id`
    bet_id: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A player's account at one moment; `lines`, the oldest first, are read as they are taken."""

    account_id: int
    currency: str
    balance: Decimal
    lines: Iterator[StatementLine]


def read_statement(database_url: str, account_id: int, limit: int | None = None) -> Statement:
    """The statement of an account, with its newest `limit` transfers, or all.

    Raises NotFound, or InvalidRequest for an account that is not a player's.
    """
    with transaction(database_url) as database:
        found = database.execute(_ACCOUNT, {"account": account_id}).one_or_none()
    if found is None:
        raise NotFound(f"There is no account {account_id}.")
    kind, currency, balance, last = found
    if kind != "player":
        raise InvalidRequest(f"Account {account_id} is a {kind} account: only players have these.")
    after = 0 if limit is None else max(0, last - limit)
    return Statement(account_id, currency, balance, _lines(database_url, account_id, after, last))


def _lines(database_url: str, account_id: int, after: int, last: int) -> Iterator[StatementLine]:
    """The transfers numbered above `after` to `last`."""
    while True:
        values = {"account": account_id, "after": after, "last": last, "rows": _PAGE_ROWS}
        with transaction(database_url) as database:
            rows = database.execute(_PAGE, values).all()
        for _, *line in rows:
            yield StatementLine(*line)
        if len(rows) < _PAGE_ROWS:
            return
        after = rows[-1][0]
