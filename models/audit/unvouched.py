"""Records and facts that nothing vouches for: they are older than the journal or the audit log.

Nobody can tell whether they were changed. So they are counted, and whoever verifies the ledger has
to know the number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from models.audit.facts import SUBJECTS, older_count
from models.audit.journal_check import before_the_journal
from models.audit.records import REJECTED_BET, TRANSFER

#: A round that the journal vouches for has an id.
_ROUNDS = text("select count(*) from finished_round where id is null")


@dataclass(frozen=True, slots=True)
class Unvouched:
    """The numbers of what nothing vouches for."""

    transfers: int = 0  # older than the journal
    bets: int = 0  # rejected ones, older than a journal that vouches for them
    facts: Mapping[str, int] = field(default_factory=dict)  # older than the audit log; by plural
    of_unknown_keys: int = 0  # records in rows of the journal whose key was not given
    rounds: int = 0  # finished ones, older than a journal that vouches for them

    @property
    def facts_total(self) -> int:
        """The number of facts of every kind."""
        return sum(self.facts.values())

    @property
    def older(self) -> int:
        """The number of everything that is older than what would vouch for it."""
        return self.transfers + self.bets + self.rounds + self.facts_total

    @property
    def by_plural(self) -> dict[str, int]:
        """The numbers of everything older, by what it is called in the plural."""
        records = {"transfers": self.transfers, "rejected bets": self.bets}
        return records | {"finished rounds": self.rounds} | dict(self.facts)

    @property
    def total(self) -> int:
        """The number of all of it, which has to be stated."""
        return self.older + self.of_unknown_keys

    def said(self) -> str:
        """All of it in words, such as `3 transfers, 1 sessions`."""
        counts = {
            "transfers older than the journal": self.transfers,
            "rejected bets older than the journal": self.bets,
            "finished rounds older than the journal": self.rounds,
            "records in rows of unknown keys": self.of_unknown_keys,
        }
        counts |= {f"{name} older than the audit log": n for name, n in self.facts.items()}
        return ", ".join([f"{number} {name}" for name, number in counts.items() if number])


def count_older(connection: Connection) -> Unvouched:
    """What is older than the journal or the audit log, and was never adopted."""
    facts = {
        subject.plural: int(
            connection.execute(text(older_count(subject)), subject.actions).scalar_one()
        )
        for subject in SUBJECTS
    }
    return Unvouched(
        before_the_journal(connection, TRANSFER),
        before_the_journal(connection, REJECTED_BET),
        {name: number for name, number in facts.items() if number},
        rounds=int(connection.execute(_ROUNDS).scalar_one()),
    )
