"""What a gateway reads outside the ledger's transactions: secrets, places, balances, bets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg

from models.commands import Place
from models.errors import LedgerUnavailable

#: Every active secret, a row each.
_ACTIVE_SECRETS = """
    select p.counterparty_id, p.id, s.secret
    from provider p join provider_secret s on s.provider_id = p.id
    where s.revoked_at is null
"""

#: Facts of a session that never change.
_PLACES = """
    select s.id, s.provider_id, s.account_id, c.decimals
    from session s join account a on a.id = s.account_id join currency c on c.code = a.currency
    where s.id = any(%s)
"""

_BALANCES = "select id, currency, balance from account where id = any(%s)"

_BETS = """
    select b.provider_id, b.bet_id, b.state, b.stake, b.win, a.currency,
           (select id from transfer t where t.bet = b.id and t.kind = 'stake'),
           (select id from transfer t where t.bet = b.id and t.kind = 'win'),
           (select id from transfer t where t.bet = b.id and t.kind = 'refund'),
           b.refused_with, b.created_at, b.updated_at
    from unnest(%s::int[], %s::text[]) wanted(provider_id, bet_id)
    join bet b on b.provider_id = wanted.provider_id and b.bet_id = wanted.bet_id
    join account a on a.id = b.account_id
"""

_LOCK_ACCOUNTS = "select id from account where id = any(%s) order by id for no key update"
_LOCK_WITHIN_MS = 300


@dataclass(frozen=True, slots=True)
class BetQuestion:
    """A bet somebody asks about. `doubtful` are accounts of jobs about it whose end is not known:

    a transaction of theirs may still be open, and has ended once their rows could be locked.
    """

    provider_id: int
    bet_id: str
    doubtful: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedBet:
    """A bet as it is recorded; ids of transfers it does not have are None."""

    state: str
    stake: Decimal | None
    win: Decimal | None
    currency: str
    stake_id: int | None
    win_id: int | None
    refund_id: int | None
    refused_with: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class BetAnswer:
    """What is recorded, and whether that is certain: False while a row could not be locked."""

    bet: RecordedBet | None
    certain: bool


class Lookup:
    """One connection for look-ups, used by one thread; made when needed, again when lost."""

    def __init__(
        self,
        database_url: str,
        *,
        connect_seconds: int,
        answer_seconds: float,
        may_be_replica: bool = False,
    ) -> None:
        """`answer_seconds`: PostgreSQL gives a look-up up after this."""
        self._url = database_url
        self._attributes = "any" if may_be_replica else "read-write"
        self._connect_seconds = connect_seconds
        self._answer_ms = int(answer_seconds * 1000)
        self._connection: psycopg.Connection | None = None

    def secrets(self) -> dict[str, tuple[int, list[bytes]]]:
        """For each `X-Counterparty-Id` the provider's id and its active secrets.

        Raises LedgerUnavailable.
        """
        found: dict[str, tuple[int, list[bytes]]] = {}
        for counterparty_id, provider_id, secret in self._rows(_ACTIVE_SECRETS):
            found.setdefault(counterparty_id, (provider_id, []))[1].append(secret.encode())
        return found

    def places(self, session_ids: Sequence[str]) -> list[Place | None]:
        """Where each session acts; None: there is no such session. Raises LedgerUnavailable."""
        rows = self._rows(_PLACES, list(session_ids))
        found = {id_: Place(provider, id_, account, d) for id_, provider, account, d in rows}
        return [found.get(session_id) for session_id in session_ids]

    def balances(self, account_ids: Sequence[int]) -> list[tuple[str, Decimal] | None]:
        """Currency and balance of players' accounts; None: a replica does not have it yet.

        Raises LedgerUnavailable.
        """
        rows = self._rows(_BALANCES, list(account_ids))
        found = {id_: (currency, balance) for id_, currency, balance in rows}
        return [found.get(account_id) for account_id in account_ids]

    def bets(self, questions: Sequence[BetQuestion]) -> list[BetAnswer]:
        """What is recorded of bets, read after the doubtful accounts' rows were locked once.

        Raises LedgerUnavailable.
        """
        doubtful = sorted({id_ for question in questions for id_ in question.doubtful})
        certain = not doubtful or self._could_lock(doubtful)
        providers = [question.provider_id for question in questions]
        rows = self._rows(_BETS, providers, [question.bet_id for question in questions])
        found = {(row[0], row[1]): RecordedBet(*row[2:]) for row in rows}
        return [
            BetAnswer(found.get((q.provider_id, q.bet_id)), certain or not q.doubtful)
            for q in questions
        ]

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _could_lock(self, account_ids: Sequence[int]) -> bool:
        """Whether nobody holds these rows, waiting a moment; the locks are released at once."""
        self._rows("select set_config('lock_timeout', %s, false)", str(_LOCK_WITHIN_MS))
        try:
            self._rows(_LOCK_ACCOUNTS, list(account_ids))
        except LedgerUnavailable as error:
            if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                return False
            raise
        return True

    def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=self._connect_seconds,
                    options=f"-c statement_timeout={self._answer_ms}",
                    target_session_attrs=self._attributes,
                )
            return self._connection.execute(query, parameters, prepare=True).fetchall()
        except psycopg.OperationalError as error:
            self.close()
            raise LedgerUnavailable(str(error).strip()) from error
