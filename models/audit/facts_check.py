"""Compares every administrative fact with the audit log: owners, limits, states, secrets."""

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Connection, text

from models.audit.facts import SUBJECTS, Subject, differing
from models.database.transactions import stream

_STARTS = text("select count(*) from audit_start")
_STARTS_EXPECTED = 6  # those that the migration makes
_ENTRIES = text("select count(*) from audit_log")

Facts = Mapping[str, object]


def entries_count(connection: Connection) -> int:
    """How many entries the audit log has."""
    return int(connection.execute(_ENTRIES).scalar_one())


def fact_problems(connection: Connection, on_stage: Callable[[str], None]) -> Iterator[str]:
    """A sentence for every row that differs from the audit log, or that it does not know.

    Rows that may be older than the audit log are not named here. `count_older` counts them.
    """
    if connection.execute(_STARTS).scalar_one() != _STARTS_EXPECTED:
        yield f"The table audit_start should have {_STARTS_EXPECTED} rows, one for each kind."
    for subject in SUBJECTS:
        on_stage(f"{subject.plural} as the audit log has them")
        query = text(differing(subject))
        for key, present, said, older in stream(connection, query, subject.actions):
            if said is not None or not older:
                yield _difference(subject, key, present, said)


def _difference(subject: Subject, key: str, present: Facts | None, said: Facts | None) -> str:
    name = f"{subject.named} {key}"
    if present is None:
        return f"{name} was deleted: the audit log has it."
    if said is None:
        return (
            f"{name} is in no entry of the audit log: it was inserted, or a version without an"
            " audit log made it."
        )
    names = sorted(name for name in {*present, *said} if present.get(name) != said.get(name))
    changes = [
        f"{name} is {present.get(name, 'missing')}, but the audit log says {said.get(name, 'none')}"
        for name in names
    ]
    return f"{name} was changed: {'; '.join(changes)}."
