"""Verifies that every rule about recorded money holds for every row, by reading only.

All checks see one moment, so bets may go on meanwhile. They run in PostgreSQL, which returns only
what is wrong. This module recomputes the journal, row by row. Its memory does not grow with the
ledger.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, text

from models.audit.facts_check import entries_count, fact_problems
from models.audit.invariants import INVARIANTS
from models.audit.journal_check import JournalCheck
from models.audit.seal import Seal, seal_problems
from models.audit.unvouched import Unvouched, count_older
from models.database.transactions import one_moment, stream
from models.keys import Key, KeyRing, Purpose


@dataclass(frozen=True, slots=True)
class Asked:
    """What to verify besides balances and bets: all that was ever vouched for.

    A ring of None is missing, which is a problem in itself.
    """

    journal: KeyRing | None
    operator: KeyRing | None
    seal: Seal | None = None  # compare with it too; it covers what was already unvouched for
    unvouched: int | None = None  # the exact number of records and facts known to be unvouched for

    @property
    def keys(self) -> dict[str, Key]:
        """All keys that were given, by id."""
        rings = [ring for ring in (self.journal, self.operator) if ring is not None]
        return {id_: key for ring in rings for id_, key in ring.by_id.items()}


@dataclass(frozen=True, slots=True)
class Vouched:
    """What the journal was found to hold."""

    rows: int
    strands: int
    entries: int  # entries in the audit log
    unvouched: Unvouched = field(default_factory=Unvouched)
    sealed: int | None = None  # strands of the compared seal; None: no seal


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified, and what is wrong. Each problem is a sentence with the ids concerned."""

    transfers: int
    accounts: int  # players' accounts, each with a chain of transfers
    problems: tuple[str, ...]
    more: int  # problems found beyond those listed
    journal: Vouched | None = None  # None: it was not verified

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not self.more


def verify(
    database_url: str,
    problems_max: int = 100,
    asked: Asked | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Report:
    """Verify the whole ledger as it is at one moment, and list at most `problems_max` problems.

    Without `asked` it verifies balances and bets, and nothing else. `on_stage` receives the next
    check, and the progress. It changes nothing and waits for nobody. Raises
    sqlalchemy.exc.DBAPIError when PostgreSQL is away.
    """
    listed: list[str] = []
    more = 0
    vouched = None
    with one_moment(database_url) as session:
        connection = session.connection()
        on_stage("counting")
        transfers = _count(connection, "select count(*) from transfer")
        accounts = _count(connection, "select count(*) from account where kind = 'player'")
        check = None if asked is None else _Vouching(connection, asked, on_stage)
        for problem in _problems(connection, check, on_stage):
            if len(listed) < problems_max:
                listed.append(problem)
            else:
                more += 1
        if check is not None:
            vouched = check.found()
    return Report(transfers, accounts, tuple(listed), more, vouched)


def _problems(
    connection: Connection, check: "_Vouching | None", on_stage: Callable[[str], None]
) -> Iterator[str]:
    if check is not None:  # first: a missing whole says more than its parts
        yield from check.missing()
    for name, invariant in INVARIANTS.items():
        on_stage(name)
        yield from stream(connection, text(invariant)).scalars()
    if check is not None:
        yield from check.problems()


class _Vouching:
    """The check of all that is vouched for: the journal, the audit log, a seal."""

    def __init__(
        self, connection: Connection, asked: Asked, on_stage: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._asked = asked
        self._on_stage = on_stage
        self._journal = JournalCheck(asked.keys)
        self._older = count_older(connection)
        self._entries = entries_count(connection)

    @property
    def unvouched(self) -> Unvouched:
        """What nothing vouches for, as far as is known by now."""
        return replace(self._older, of_unknown_keys=sum(self._journal.unknown.values()))

    def missing(self) -> Iterator[str]:
        """A line for everything that is missing as a whole."""
        rings = {Purpose.JOURNAL: self._asked.journal, Purpose.OPERATOR: self._asked.operator}
        for purpose, ring in rings.items():
            if ring is None:
                yield (
                    f"What the {purpose} key signed cannot be verified: set {purpose.variable}."
                    " (--without-journal checks balances and bets only.)"
                )
        for what, table, needs in _WHOLES:
            if _is_empty(self._connection, table) and _holds(self._connection, needs):
                yield f"The {what} is empty, although rows must be in it: it was emptied."

    def problems(self) -> Iterator[str]:
        """A sentence for everything that nothing vouches for, or that differs from what does."""
        yield from fact_problems(self._connection, self._on_stage)
        yield from self._journal.problems(self._connection, self._on_stage)
        for key, records in self._journal.unknown.items():
            if self._asked.unvouched is None:
                yield (
                    f"{records} records are in rows of the journal that were made with the key"
                    f" {key}, which was not given (BETCORE_JOURNAL_KEYS_OLD,"
                    " BETCORE_OPERATOR_KEYS_OLD): they are not verified."
                )
        if self._asked.seal is not None:
            self._on_stage("seal")
            yield from seal_problems(self._connection, self._asked.seal, self._older)
        yield from self._of_unvouched()

    def found(self) -> Vouched:
        """What the check found."""
        seal = self._asked.seal
        sealed = None if seal is None else len(seal.heads)
        journal = self._journal
        return Vouched(journal.rows, journal.strands, self._entries, self.unvouched, sealed)

    def _of_unvouched(self) -> Iterator[str]:
        found, stated = self.unvouched, self._asked.unvouched
        if stated is None:
            sealed = self._asked.seal is not None and self._asked.seal.covers(found)
            if found.older and not sealed:
                empty = [
                    f"The {what} is empty. "
                    for what, table, _ in _WHOLES
                    if _is_empty(self._connection, table)
                ]
                yield (
                    f"{''.join(empty)}Nothing vouches for {found.said()}. `betcore ledger adopt`"
                    f" vouches for the older ones as they are now; --unvouched {found.total}"
                    " accepts them."
                )
        elif stated != found.total:
            yield (
                f"Nothing vouches for {found.total}, but --unvouched states {stated}:"
                f" {found.said() or 'everything is vouched for'}."
            )


#: What must not be empty, its table, and the condition: some row is not older than it.
_WHOLES = (
    (
        "journal",
        "journal",
        """exists (select from transfer
                   where id > (select coalesce(max(transfer_id), 0) from journal_start))""",
    ),
    (
        "audit log",
        "audit_log",
        """exists (select from provider where id > coalesce(
                       (select until from audit_start where kind = 'provider'), 0))
           or exists (select from player where id > coalesce(
                          (select until from audit_start where kind = 'player'), 0))""",
    ),
)


def _is_empty(connection: Connection, table: str) -> bool:
    return not _holds(connection, f"exists(select from {table})")


def _holds(connection: Connection, condition: str) -> bool:
    return bool(connection.execute(text(f"select {condition}")).scalar_one())


def _count(connection: Connection, query: str) -> int:
    return int(connection.execute(text(query)).scalar_one())
