"""Statements of accounts: every transfer in order, with the balance after each.

A player's transfers have numbers and never change. So they are read in pages, which together equal
one reading at the first moment. House and cash accounts have no such numbers. Their transfers are
read in one transaction, in the order of time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlmodel import Session as DbSession

from models.database.transactions import one_moment, stream, transaction
from models.errors import InvalidRequest
from models.money import plain, subtract
from models.reports.paging import Listing, Position, pages
from models.reports.parties import show_account


@dataclass(frozen=True, slots=True)
class Period:
    """The time from `since` to just before `until`. None means no limit at that end."""

    since: datetime | None = None
    until: datetime | None = None


ALWAYS = Period()


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One transfer: of a bet of a provider, or a deposit or withdrawal with a reference."""

    transfer_id: int
    created_at: datetime
    kind: str
    amount: Decimal  # below 0 when the account paid
    balance_after: Decimal  # of the account
    provider: str | None  # its `X-Counterparty-Id`
    bet_id: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """An account at one moment. `lines`, the oldest first, are read as the caller takes them.

    `opening_balance` plus the amounts of all lines is `closing_balance`. A house or cash account
    may be below 0: it is the other side of what players hold.
    """

    account_id: int
    kind: str  # player, house or cash
    owner: str | None  # the player's own id, or the provider's `X-Counterparty-Id`
    currency: str
    opening_balance: Decimal
    closing_balance: Decimal
    lines: Iterator[StatementLine]


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Some lines of a player's statement, the oldest first, and balances of the whole period."""

    account_id: int
    currency: str
    opening_balance: Decimal
    closing_balance: Decimal
    items: list[StatementLine]
    next: Position | None


# A player's transfers of a period are those between two numbers. So the statement of a period
# begins where the previous one ended. Times alone would not suffice: a transaction that began
# earlier may get the account's lock later.
_NUMBERS = text("""
    with cut as (
        select coalesce(
                   case when cast(:since as timestamptz) is not null then
                       (select min(account_seq) - 1 from transfer
                        where account = :account and created_at >= :since) end,
                   case when cast(:since as timestamptz) is null then 0 end,
                   highest) as first_after,
               coalesce(
                   case when cast(:until as timestamptz) is not null then
                       (select min(account_seq) - 1 from transfer
                        where account = :account and created_at >= :until) end,
                   highest) as last
        from (select coalesce(max(account_seq), 0) as highest
              from transfer where account = :account) known
    ), shown as (
        select greatest(first_after, last - :newest) as after, last from cut
    )
    select after, last,
           coalesce((select balance_after from transfer
                     where account = :account and account_seq = after), 0),
           coalesce((select balance_after from transfer
                     where account = :account and account_seq = greatest(after, last)), 0)
    from shown
""")

_PLAYER_PAGE = text("""
    select t.id, t.created_at, t.kind,
           case when t.credit_account = t.account then t.amount else -t.amount end,
           t.balance_after, provider.counterparty_id, bet.bet_id, t.reference, t.account_seq
    from (
        select * from transfer
        where account = :account and account_seq > :after and account_seq <= :last
        order by account_seq limit :rows
    ) t
    left join bet on bet.id = t.bet
    left join provider on provider.id = bet.provider_id
    order by t.account_seq
""")

_OTHER_SUMS = text("""
    select coalesce(sum(amount) filter (where created_at < period.since), 0),
           coalesce(sum(amount) filter (where created_at < period.until), 0),
           count(*) filter (where created_at >= period.since and created_at < period.until)
    from (select coalesce(cast(:since as timestamptz), '-infinity') as since,
                 coalesce(cast(:until as timestamptz), 'infinity') as until) period,
         (select created_at, case when credit_account = :account then amount else -amount end amount
          from transfer where :account in (debit_account, credit_account)) moved
""")

_OTHER_LINES = text("""
    select t.id, t.created_at, t.kind, t.amount,
           :opening + sum(t.amount) over (order by t.created_at, t.id) as balance_after,
           provider.counterparty_id, bet.bet_id, t.reference
    from (
        select id, created_at, kind, bet, reference,
               case when credit_account = :account then amount else -amount end as amount
        from transfer
        where :account in (debit_account, credit_account)
          and created_at >= coalesce(cast(:since as timestamptz), '-infinity')
          and created_at < coalesce(cast(:until as timestamptz), 'infinity')
    ) t
    left join bet on bet.id = t.bet
    left join provider on provider.id = bet.provider_id
    order by t.created_at, t.id offset :skipped
""")


def read_statement(
    database_url: str, account_id: int, period: Period = ALWAYS, limit: int | None = None
) -> Statement:
    """The statement of an account, of all its transfers or of a period.

    With a limit it shows only the newest transfers. The opening balance is then the one before
    those. Raises NotFound.
    """
    with transaction(database_url) as database:
        account = show_account(database, account_id)
        if account.kind == "player":
            opening, closing, lines = _of_player(database, database_url, account_id, period, limit)
        else:
            opening, closing, lines = _of_other(database_url, account_id, period, limit)
    of = (account.kind, account.owner, account.currency)
    return Statement(account_id, *of, opening, closing, lines)


_Read = tuple[Decimal, Decimal, Iterator[StatementLine]]


def statement_page(
    database_url: str,
    account_id: int,
    period: Period,
    rows: int,
    begin: Position | None = None,
) -> StatementPage:
    """One page of the statement of a player's account.

    All pages together equal one reading at the moment of the first one. Raises NotFound, or
    InvalidRequest for an account that is not a player's.
    """
    with transaction(database_url) as database:
        account = show_account(database, account_id)
        if account.kind != "player":
            raise InvalidRequest(
                f"The statement of a {account.kind} account has no pages: ask for format=csv."
            )
        values: dict[str, object] = {"account": account_id}
        if begin is None:
            bounds = {"since": period.since, "until": period.until, "newest": 2**62}
            after, last, opening, closing = database.execute(_NUMBERS, values | bounds).one()
            begin = {"after": after, "last": last}
            begin |= {"opening": plain(opening), "closing": plain(closing)}
    page = Listing(
        database_url,
        _PLAYER_PAGE,
        values | dict(begin),
        lambda row: dict(begin) | {"after": row[-1]},
        lambda row: _line(row[:-1]),
    ).page(rows)
    totals = (Decimal(str(begin["opening"])), Decimal(str(begin["closing"])))
    return StatementPage(account_id, account.currency, *totals, page.items, page.next)


def _of_player(
    database: DbSession, database_url: str, account_id: int, period: Period, limit: int | None
) -> _Read:
    values: dict[str, object] = {"account": account_id}
    bounds = {"since": period.since, "until": period.until, "newest": limit or 2**62}
    after, last, opening, closing = database.execute(_NUMBERS, values | bounds).one()
    rows = pages(
        database_url,
        _PLAYER_PAGE,
        values | {"after": after, "last": last},
        lambda row: {"after": row[-1]},
    )
    return opening, closing, (_line(row[:-1]) for row in rows)


def _line(row: Sequence[Any]) -> StatementLine:
    return StatementLine(*row)


def _of_other(database_url: str, account_id: int, period: Period, limit: int | None) -> _Read:
    reading = _read_other(database_url, account_id, period, limit)
    opening, closing = next(reading)
    return opening, closing, (_line(row) for row in reading)


def _read_other(
    database_url: str, account_id: int, period: Period, limit: int | None
) -> Iterator[Sequence[Any]]:
    """The opening and the closing balance, then each line, all of one moment."""
    values = {"account": account_id, "since": period.since, "until": period.until}
    with one_moment(database_url) as database:
        opening, closing, count = database.execute(_OTHER_SUMS, values).one()
        skipped = 0 if limit is None else max(0, count - limit)
        rows = stream(
            database.connection(), _OTHER_LINES, values | {"opening": opening, "skipped": skipped}
        )
        first = next(rows, None)
        if first is None:
            yield opening, closing
            return
        yield subtract(first.balance_after, first.amount), closing
        yield first
        yield from rows
