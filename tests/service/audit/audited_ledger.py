"""A ledger made by operators and a worker. Journal and audit log vouch for all of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg

from embedded import temporary_servers
from models.audit.log import Author, operation
from models.audit.seal import Seal
from models.commands import Deposit, PayIn, PayInOut
from models.database.engine import engine
from models.directory.accounts import set_player_status
from models.directory.currencies import add_currency
from models.directory.providers import add_provider, add_secret, revoke_secret, set_provider_status
from models.directory.sessions import Opening, close_session, open_sessions
from models.migrate import migrate
from tests.service.support.journaled_ledger import ledger_of, problems
from tests.service.support.keys import CIPHER, OPERATOR
from tests.service.support.ledger_copy import LedgerCopy

AUTHOR = Author("ann@desk", OPERATOR.current, "a note")
PLAYERS = ("Ann", "Bob")

#: By somebody who has copied the rows before they were erased.
UNREVOKE = """
    update provider_secret s set revoked_at = null, key = copied.key, ciphertext = copied.ciphertext
    from copied_secret copied where copied.id = s.id
"""


@contextmanager
def audited_ledger() -> Iterator[LedgerCopy]:
    """Two providers, one suspended; Ann and Bob, who is blocked; five sessions, one closed.

    The first provider has two secrets, one of them revoked. Ann has two bets: one is settled, one
    was rejected.
    """
    with temporary_servers(redis=False) as urls:
        migrate(urls.database)
        ledger_copy = LedgerCopy(urls.database)
        _operate(ledger_copy.url)
        _play(ledger_copy)
        engine(ledger_copy.url).dispose()
        yield ledger_copy


def _operate(url: str) -> None:
    """What operators do: four operations, each a row of the journal."""
    with operation(url, AUTHOR) as database:
        first = add_provider(database, "First", CIPHER).counterparty_id
        second = add_provider(database, "Second", CIPHER).counterparty_id
        added, _ = add_secret(database, first, CIPHER)
    opening = Opening(first, "EUR", Decimal(1), Decimal("50.5"), timedelta(days=1))
    with operation(url, AUTHOR) as database:
        open_sessions(database, opening, PLAYERS)
    with operation(url, AUTHOR) as database:
        unlimited = Opening(second, "EUR", None, None, timedelta(days=1))
        opened = open_sessions(database, unlimited, [*PLAYERS, "Ann"])
        add_currency(database, "USDT", 6)
    with psycopg.connect(url) as reader:  # who copies what is erased later
        reader.execute("create table copied_secret as table provider_secret")
    with operation(url, AUTHOR) as database:
        close_session(database, opened[2].session_id)
        revoke_secret(database, first, added.secret_id)
        set_provider_status(database, second, "suspended")
        set_player_status(database, "Bob", "blocked")


def _play(ledger_copy: LedgerCopy) -> None:
    [(session, account)] = select(
        ledger_copy,
        "select s.id, s.account_id from session s join account a on a.id = s.account_id"
        " join player p on p.id = a.player_id where p.external_id = 'Ann' and s.provider_id = 1",
    )
    with ledger_of(ledger_copy) as ledger:
        for commands in (
            [Deposit(account, "one", Decimal(100))],
            [
                PayInOut(1, session, account, "settled", None, Decimal(10), Decimal(5), None),
                PayIn(1, session, account, "rejected", "Zürich|;", Decimal("50.75"), None, None),
            ],
        ):
            ledger.apply(commands, lambda _: True, 5)


def select(ledger_copy: LedgerCopy, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with psycopg.connect(ledger_copy.url) as connection:
        return connection.execute(query.encode()).fetchall()


def found(ledger_copy: LedgerCopy, seal: Seal | None = None) -> Sequence[str]:
    """All problems, with ids as they are."""
    return problems(ledger_copy, seal=seal)
