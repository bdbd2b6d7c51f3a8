"""Who plays in a benchmark: one provider, and many players with money, made by a few statements."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bench.contender import CIPHER, OPERATOR
from bench.servers import query, settle
from models.audit.log import Author, operation
from models.directory.providers import add_provider
from models.directory.sessions import Opening, open_accounts
from models.ledger.load import ID_BLOCK

ACCOUNTS = 100_000
CURRENCY = "EUR"
DEPOSIT = 100_000_000  # so much that a hot player is never refused
_SESSIONS_LAST = timedelta(days=2)

_PLAYERS = """
    insert into player (external_id, status)
    select 'bench-' || number, 'active' from generate_series(1, %(accounts)s) number
"""
_PLAYER_ACCOUNTS = """
    insert into account (kind, player_id, currency, balance, last_seq)
    select 'player', id, %(currency)s, %(deposit)s, 1
    from player where external_id like 'bench-%%' order by id
"""
# As models/ledger/ledger.py records a deposit; ids are drawn from the sequence in blocks, as there.
_DEPOSITS = """
    with block as materialized (
        select n, nextval('ledger_ids') as first from generate_series(0, %(blocks)s - 1) n
    ), numbered as (
        select id, balance, row_number() over (order by id) - 1 as number
        from account where kind = 'player'
    )
    insert into transfer (id, bet, kind, debit_account, credit_account, amount, account,
                          account_seq, balance_after, reference, month)
    select block.first + numbered.number %% %(block)s, null, 'deposit', cash.id, numbered.id,
           numbered.balance, numbered.id, 1, numbered.balance, 'bench-' || numbered.id,
           date_trunc('month', now() at time zone 'UTC')::date
    from numbered
    join block on block.n = numbered.number / %(block)s
    join account cash on cash.kind = 'cash' and cash.currency = %(currency)s
"""
_SESSIONS = """
    insert into session (id, provider_id, account_id, expires_at)
    select replace(gen_random_uuid()::text, '-', ''), provider.id, account.id, now() + %(lasts)s
    from account, provider
    where account.kind = 'player' and provider.counterparty_id = %(counterparty_id)s
    order by account.id returning id
"""


@dataclass(frozen=True)
class People:
    """A provider, and one session of each of its players, in the order of their rank."""

    counterparty_id: str
    secret: str
    sessions: Sequence[str]
    weights: Sequence[float]  # cumulative, for `random.choices`

    def spread(self, count: int, chance: random.Random) -> list[str]:
        """Sessions of so many requests: the player of rank k plays 1/k as often as the first."""
        return chance.choices(self.sessions, cum_weights=self.weights, k=count)

    def hot(self, count: int) -> list[str]:
        """Sessions of so many requests, all of one player."""
        return [self.sessions[-1]] * count


def make_people(database_url: str, accounts: int = ACCOUNTS) -> People:
    """Make everybody, on an empty database, with a deposit each that the ledger can verify."""
    with operation(database_url, Author("bench", OPERATOR.current)) as database:
        credentials = add_provider(database, "bench", CIPHER)
        opening = Opening(credentials.counterparty_id, CURRENCY, None, None, _SESSIONS_LAST)
        open_accounts(database, opening, [])  # the provider's own account and the cash account
    query(database_url, _PLAYERS, accounts=accounts)
    query(database_url, _PLAYER_ACCOUNTS, currency=CURRENCY, deposit=DEPOSIT)
    blocks = -(-accounts // ID_BLOCK)
    query(database_url, _DEPOSITS, currency=CURRENCY, blocks=blocks, block=ID_BLOCK)
    counterparty_id = credentials.counterparty_id
    made = query(database_url, _SESSIONS, lasts=_SESSIONS_LAST, counterparty_id=counterparty_id)
    settle(database_url)
    return ranked_by_chance(counterparty_id, credentials.secret, [row[0] for row in made])


def ranked_by_chance(counterparty_id: str, secret: str, sessions: Sequence[str]) -> People:
    """People of sessions that exist, in the order in which they were made.

    In that order the players who bet most would be neighbours in the tables, and share their pages.
    """
    ranked = random.Random(1).sample(sessions, len(sessions))  # noqa: S311 - always the same
    return people_of(counterparty_id, secret, ranked)


def people_of(counterparty_id: str, secret: str, sessions: Sequence[str]) -> People:
    """People of sessions that exist, in the order of their rank."""
    weights = itertools.accumulate(1 / rank for rank in range(1, len(sessions) + 1))
    return People(counterparty_id, secret, sessions, list(weights))
