"""What a gateway reads outside the ledger's transactions: secrets, places, balances, bets."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from models.commands import Place
from models.database.pipeline import Row, exact, present, whole
from models.database.preconditions import Use
from models.database.prepared_connection import PreparedConnection
from models.database.query import (
    INT8S,
    REPLICATED,
    TEXTS,
    ArrayParameter,
    Query,
    Statement,
)
from models.errors import LedgerContention, LedgerError, LedgerUnavailable
from models.ledger.bet_questions import (
    BETS,
    BETS_OF_ROUND,
    BETS_OF_TRANSACTIONS,
    BetAnswer,
    BetQuestion,
    Question,
    RoundBet,
    RoundQuestion,
    TransactionQuestion,
    recorded_bet,
)
from models.secret_cipher import Encrypted, SecretRow

#: Every active secret, one row each.
_SECRETS = Query(
    b"secrets",
    """
    select s.id, p.id, p.counterparty_id, s.key, encode(s.ciphertext, 'hex')
    from provider p join provider_secret s on s.provider_id = p.id
    where s.revoked_at is null order by s.id
    """,
)

#: The providers that may not do everything.
_RULES = Query(
    b"provider_rules",
    """
    select counterparty_id, locked, array_to_string(networks, ' '), rate_max
    from provider where locked or networks is not null or rate_max is not null
    """,
)

#: Facts of a session that never change.
_PLACES = Query(
    b"places",
    """
    select s.id, s.provider_id, s.account_id, c.decimals, a.currency, p.external_id, s.game
    from session s,
         lateral (select player_id, currency from account where id = s.account_id offset 0) a,
         lateral (select decimals from currency where code = a.currency offset 0) c,
         lateral (select external_id from player where id = a.player_id offset 0) p
    where s.id = any($1)
    """,
    (TEXTS,),
)

_BALANCES = Query(
    b"balances", "select id, currency, balance from account where id = any($1)", (INT8S,)
)

#: Waits a moment for whoever holds these rows. A gateway may change nothing. In PostgreSQL only a
#: role that may change a row can lock it. So the function locks it (models/tables/triggers.py).
_SETTLED = Query(b"settled", "select accounts_settled($1)", (INT8S,))
_LOCK_WITHIN_MS = 300

GATEWAY_READS = (
    *(_SECRETS, _RULES, _PLACES, _BALANCES, BETS, BETS_OF_ROUND, BETS_OF_TRANSACTIONS, _SETTLED),
)


class StoredRules(NamedTuple):
    """What a provider may not do: one row of the database."""

    counterparty_id: str
    locked: bool  # whether no call of it is accepted
    networks: list[str] | None  # from which it may call; None: from anywhere
    rate_max: int | None  # requests per second; None: any number


class Directory(NamedTuple):
    """What a gateway knows of the providers: every active secret as it is stored, and the rules."""

    secrets: list[tuple[SecretRow, Encrypted]]
    rules: list[StoredRules]


class GatewayReads:
    """One connection for these reads, used by one thread.

    It is made at its first use, and again after it was lost.
    """

    def __init__(
        self,
        database_url: str,
        *,
        connect_seconds: int,
        answer_seconds: float,
        may_be_replica: bool = False,
        pool: str = "",
    ) -> None:
        """`answer_seconds` is the time limit of a read. `pool`: as in PreparedConnection."""
        self._connection = PreparedConnection(
            database_url,
            (*GATEWAY_READS, REPLICATED),
            wait_seconds=answer_seconds,
            connect_seconds=connect_seconds,
            # The lock of a row is itself a write. Nobody needs it on a disk, or on a standby.
            settings={"lock_timeout": str(_LOCK_WITHIN_MS), "synchronous_commit": "off"},
            use=Use.READ if may_be_replica else Use.SERVE,
            pool=pool,
        )

    def directory(self) -> Directory:
        """Secrets and rules of all providers, in one round trip. Raises LedgerError."""
        secrets, rules = self._answers((_SECRETS, ()), (_RULES, ()))
        return Directory([_secret(row) for row in secrets], [_rules(row) for row in rules])

    def places(self, session_ids: Sequence[str]) -> list[Place | None]:
        """Where each session acts, or None if there is no such session. Raises LedgerError."""
        rows = self._rows(_PLACES, list(session_ids))
        found = {row[0]: _place(row) for row in rows}
        return [found.get(session_id) for session_id in session_ids]

    def balances(self, account_ids: Sequence[int]) -> list[tuple[str, Decimal] | None]:
        """Currency and balance of players' accounts, or None if a replica does not have them yet.

        Raises LedgerError.
        """
        rows = self._rows(_BALANCES, list(account_ids))
        found = {whole(row[0]): (present(row[1]), exact(row[2])) for row in rows}
        return [found.get(account_id) for account_id in account_ids]

    def recorded(self, questions: Sequence[Question]) -> list[Any]:
        """What is recorded about each question, as the method for its kind returns it.

        Raises LedgerError.
        """
        found: dict[Question, Any] = {}
        bets = [question for question in questions if isinstance(question, BetQuestion)]
        if bets:
            found |= zip(bets, self.bets(bets), strict=True)
        rounds = [question for question in questions if isinstance(question, RoundQuestion)]
        if rounds:
            found |= zip(rounds, self.bets_of_rounds(rounds), strict=True)
        ids = [question for question in questions if isinstance(question, TransactionQuestion)]
        if ids:
            found |= zip(ids, self.bets_of_transactions(ids), strict=True)
        return [found[question] for question in questions]

    def bets(self, questions: Sequence[BetQuestion]) -> list[BetAnswer]:
        """What is recorded of bets, read after one lock of the doubtful accounts' rows.

        Raises LedgerError.
        """
        doubtful = sorted({id_ for question in questions for id_ in question.doubtful})
        certain = not doubtful or self._could_lock(doubtful)
        providers = [question.provider_id for question in questions]
        bet_ids = [question.bet_id for question in questions]
        rows = self._rows(BETS, providers, bet_ids)
        if certain or not all(question.doubtful for question in questions):
            self._rows(REPLICATED)  # the caller will report what was read
        found = {(whole(row[0]), present(row[1])): recorded_bet(row) for row in rows}
        return [
            BetAnswer(found.get((q.provider_id, q.bet_id)), certain or not q.doubtful)
            for q in questions
        ]

    def bets_of_rounds(self, questions: Sequence[RoundQuestion]) -> list[list[RoundBet]]:
        """Which bets are recorded in each round, in the order of the list. Raises LedgerError."""
        answers = self._answers(
            *[(BETS_OF_ROUND, (*q[:2], *q.after, q.rows, "true", "false")) for q in questions]
        )
        return [
            [RoundBet(present(row[0]), (whole(row[1]), whole(row[2]))) for row in rows]
            for rows in answers
        ]

    def bets_of_transactions(self, questions: Sequence[TransactionQuestion]) -> list[str | None]:
        """The betId of each transfer, or None if it is of no bet of this provider.

        Raises LedgerError.
        """
        columns = [[question[column] for question in questions] for column in (0, 1)]
        rows = self._rows(BETS_OF_TRANSACTIONS, *columns)
        found = {(whole(row[0]), whole(row[1])): present(row[2]) for row in rows}
        return [found.get(question) for question in questions]

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._connection.close()

    def _could_lock(self, account_ids: Sequence[int]) -> bool:
        """Whether nobody holds these rows."""
        try:
            self._rows(_SETTLED, account_ids)
        except LedgerContention:
            return False
        return True

    def _rows(self, query: Query, *parameters: ArrayParameter) -> list[Row]:
        return self._answers((query, parameters))[0]

    def _answers(self, *statements: Statement) -> list[list[Row]]:
        """The rows of each statement, in one round trip."""
        try:
            pipeline = self._connection.pipeline()
            answers = pipeline.run(*statements)
            if pipeline.warning:
                raise LedgerUnavailable(pipeline.warning)
            return answers
        except LedgerContention:
            raise
        except LedgerError:
            self.close()  # outdated plans, or a replica: the next is new
            raise


def _secret(row: Row) -> tuple[SecretRow, Encrypted]:
    return (
        SecretRow(whole(row[0]), whole(row[1]), present(row[2])),
        Encrypted(present(row[3]), bytes.fromhex(present(row[4]))),
    )


def _rules(row: Row) -> StoredRules:
    return StoredRules(
        present(row[0]),
        row[1] == "t",
        None if row[2] is None else row[2].split(),
        None if row[3] is None else int(row[3]),
    )


def _place(row: Row) -> Place:
    return Place(
        provider_id=whole(row[1]),
        session_id=present(row[0]),
        account_id=whole(row[2]),
        decimals=whole(row[3]),
        currency=present(row[4]),
        player=present(row[5]),
        game=row[6],
    )
