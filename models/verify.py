"""Verifies the ledger: that every rule about recorded money holds for every row, by reading only.

All checks see one moment, so bets may go on meanwhile. They run in PostgreSQL, which tells only
what is wrong; the journal is recomputed here, row after row. Nothing here grows with the ledger.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from models.db import one_moment, stream
from models.invariants import INVARIANTS
from models.journal_check import JournalCheck
from models.keys import KeyRing
from models.seal import Seal, seal_problems


@dataclass(frozen=True, slots=True)
class Vouched:
    """What the journal was found to hold."""

    rows: int
    strands: int
    before: int  # transfers that were there when it began: nothing vouches for them
    sealed: int | None  # strands of the seal that was compared, if one was


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified, and what is wrong: each problem a sentence with the ids it is about."""

    transfers: int
    accounts: int  # of players: each has a chain of transfers
    problems: tuple[str, ...]
    more: int  # problems found beyond those listed
    journal: Vouched | None = None  # None: not verified, there was no key

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not self.more


def verify(
    database_url: str,
    problems_max: int = 100,
    keys: KeyRing | None = None,
    seal: Seal | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Report:
    """Verify the whole ledger as it is at one moment, and list at most that many problems.

    The journal is verified if there are `keys`, and compared with a `seal` of before, if there is
    one as well. `on_stage` is told what is checked next, and how far it is. Changes nothing and
    waits for nobody. Raises sqlalchemy.exc.DBAPIError when PostgreSQL is away.
    """
    listed: list[str] = []
    more = 0
    check = JournalCheck()
    with one_moment(database_url) as session:
        connection = session.connection()
        on_stage("counting")
        transfers = _count(connection, "select count(*) from transfer")
        accounts = _count(connection, "select count(*) from account where kind = 'player'")
        for problem in _problems(connection, check, keys, seal, on_stage):
            if len(listed) < problems_max:
                listed.append(problem)
            else:
                more += 1
    sealed = None if seal is None else len(seal.heads)
    vouched = None if keys is None else Vouched(check.rows, check.strands, check.before, sealed)
    return Report(transfers, accounts, tuple(listed), more, vouched)


def _problems(
    connection: Connection,
    check: JournalCheck,
    keys: KeyRing | None,
    seal: Seal | None,
    on_stage: Callable[[str], None],
) -> Iterator[str]:
    for name, invariant in INVARIANTS.items():
        on_stage(name)
        yield from stream(connection, text(invariant)).scalars()
    if keys is not None:
        yield from check.problems(connection, keys, on_stage)
        if seal is not None:
            on_stage("seal")
            yield from seal_problems(connection, seal, check.before)


def _count(connection: Connection, query: str) -> int:
    return int(connection.execute(text(query)).scalar_one())
