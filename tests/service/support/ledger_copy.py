"""A small ledger for tests of its verification: written row by row, so that it can be wrong."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from sqlalchemy import make_url

from embedded import temporary_servers
from models.audit.verify import Report, verify
from models.database.engine import engine
from models.ledger.state import CREDITS_PLAYER
from models.migrate import migrate

CASH, HOUSE, ANN = 1, 2, 4  # accounts in EUR; HOUSE is of provider 1

Moves = Sequence[tuple[str, str]]  # kind and amount of each transfer

# Ann has three deposits (transfers 1, 2, 3) and one bet (row 4, transfers 5 and 6).
WHOLE = """
    insert into currency values ('EUR', 2), ('JPY', 0);
    insert into provider (id, counterparty_id, name, status)
        values (1, 'one', 'One', 'active'), (2, 'two', 'Two', 'active');
    insert into player (id, external_id, status) values (1, 'Ann', 'active'), (2, 'Bob', 'active');
    insert into account (id, kind, player_id, provider_id, currency, balance) values
        (1, 'cash', null, null, 'EUR', null), (2, 'house', null, 1, 'EUR', null),
        (3, 'house', null, 2, 'EUR', null), (4, 'player', 1, null, 'EUR', 0),
        (5, 'player', 2, null, 'EUR', 0), (6, 'cash', null, null, 'JPY', null),
        (7, 'house', null, 1, 'JPY', null), (8, 'player', 1, null, 'JPY', 0);
    insert into session (id, provider_id, account_id, expires_at)
        values ('session-1', 1, 4, now() + '1 hour');
"""
_BET = """
    insert into bet (id, provider_id, bet_id, account_id, session_id, opened_by, state, stake, win,
                     refused_with)
    values (%(id)s, 1, 'b' || %(id)s, 4, 'session-1', %(opened_by)s, %(state)s, %(stake)s, %(win)s,
            case when %(state)s = 'rejected' then 4 end)
"""
_TRANSFER = """
    with moved as (
        update account set balance = balance + %(sign)s * %(amount)s::numeric,
                           last_seq = last_seq + 1
        where id = 4 returning *
    )
    insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                          account_seq, balance_after, reference, month)
    select %(id)s, %(bet)s, %(kind)s, case %(sign)s when 1 then %(other)s else 4 end,
           case %(sign)s when 1 then 4 else %(other)s end, %(amount)s, 4, last_seq, balance,
           case when %(bet)s::bigint is null then 'r' || %(id)s end, date_trunc('month', now())
    from moved
"""
_DEFENCELESS = """
    set session_replication_role = replica;
    alter table account drop constraint if exists account_kind;
    alter table transfer drop constraint if exists transfer_direction,
                         drop constraint if exists transfer_amount_not_negative,
                         drop constraint if exists transfer_of_bet_or_reference
"""


@dataclass(frozen=True)
class LedgerCopy:
    """A database with the ledger above, whole until it is broken."""

    url: str

    def bet(self, id_: int, opened_by: str, state: str, stake: str | None, win: str | None) -> None:
        """Record a bet of Ann with provider 1, without its transfers."""
        values = {"id": id_, "opened_by": opened_by, "state": state, "stake": stake, "win": win}
        self._execute(_BET, values)

    def move(self, first_id: int, bet: int | None, moves: Moves) -> None:
        """Book transfers of Ann, one after the other."""
        for id_, (kind, amount) in enumerate(moves, first_id):
            sign = 1 if kind in CREDITS_PLAYER else -1
            other = CASH if bet is None else HOUSE
            values = {"id": id_, "bet": bet, "kind": kind, "amount": amount}
            self._execute(_TRANSFER, values | {"sign": sign, "other": other})

    def damage(self, *statements: str) -> None:
        """Run statements that no trigger, foreign key or check of one account or amount hinders."""
        self._execute(";".join((_DEFENCELESS, *statements)))

    @contextmanager
    def damaged(self, table: str, *statements: str) -> Iterator[None]:
        """Damage one table, and make it as it was at the end of the block."""
        self.damage(f"create table kept as table {table}", *statements)
        yield
        restored = f"insert into {table} table kept"
        self.damage(f"delete from {table}", restored, "drop table kept")  # noqa: S608

    def verified(self, problems_max: int = 100) -> Report:
        """What the verification finds."""
        return verify(self.url, problems_max)

    def _execute(self, statement: str, values: Mapping[str, object] | None = None) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement, values)


@contextmanager
def whole_ledger() -> Iterator[LedgerCopy]:
    """The ledger above on servers of its own; nobody is connected, so that it can be copied."""
    with temporary_servers(redis=False) as urls:
        migrate(urls.database)
        engine(urls.database).dispose()
        yield written(urls.database)


def written(url: str) -> LedgerCopy:
    """The ledger above, written into a database that has tables and no rows."""
    with psycopg.connect(url) as connection:
        connection.execute(WHOLE)
    whole = LedgerCopy(url)
    whole.move(1, None, [("deposit", "100"), ("deposit", "50"), ("deposit", "25")])
    whole.bet(4, "pay_in_out", "settled", "10", "55.25")
    whole.move(5, 4, [("stake", "10"), ("win", "55.25")])
    return whole


@contextmanager
def copied(ledger_copy: LedgerCopy) -> Iterator[LedgerCopy]:
    """A copy of a ledger, to be damaged."""
    url = make_url(ledger_copy.url)
    name = f"copy_{uuid.uuid4().hex}"
    maintenance = url.set(database="postgres").render_as_string(hide_password=False)
    copy = url.set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"create database {name} template {url.database}")
        try:
            yield LedgerCopy(copy)
        finally:
            engine(copy).dispose()
            # Now, because a server writes all that it has not written before it ends.
            connection.execute(f"drop database {name} with (force)")
