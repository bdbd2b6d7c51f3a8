"""Vouches for what nothing vouches for: records in no row of the journal, facts in no entry.

They are older than the journal or the audit log, or come from an older version. Adoption vouches
for them as they are now. From then on verification detects a change to them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, insert, text

from models.audit.facts import SUBJECTS, missing
from models.audit.journal import Strand
from models.audit.log import ENTRIES_MAX, AuditWriter, Author, Fact
from models.audit.records import FINISHED_ROUND, REJECTED_BET, TRANSFER, Kind, Records
from models.database.transactions import stream, transaction
from models.keys import Key
from models.tables import Journal

_PER_ROW = 500
# Any number that differs from our other ones. Two adoptions at once would add everything twice.
_LOCK = 5_318_009

_MISSING = {
    kind: text(f"""
        select {kind.alias}.id, {kind.line}
        from {kind.table} {kind.alias} {kind.more}
        where {kind.only} and not exists (
            select from (select unnest({kind.column}) as id from journal) j
            where j.id = {kind.alias}.id
        )
        order by {kind.alias}.id
    """)  # noqa: S608 - ours
    for kind in (TRANSFER, REJECTED_BET, FINISHED_ROUND)
}
#: Gives ids to rounds that have none. They are below 0, so that they are nobody else's.
_NAME_ROUNDS = text("""
    update finished_round f set id = named.id
    from (
        select account_id, provider_id, round_id,
               least((select min(id) from finished_round), 0) - row_number() over () as id
        from finished_round where id is null
    ) named
    where f.id is null and f.account_id = named.account_id and f.provider_id = named.provider_id
      and f.round_id = named.round_id
""")
_NAMELESS_ROUNDS = text("select count(*) from finished_round where id is null")
_MICROS = text("select ((extract(epoch from now()) * 1000000)::bigint)::text")


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was added. The ids of the transfers are None when there was none."""

    transfers: int
    first: int | None = None
    last: int | None = None
    bets: int = 0  # rejected ones
    facts: Mapping[str, int] = field(
        default_factory=dict
    )  # the number of facts, by what they are called in the plural
    rounds: int = 0  # finished ones


def adopt(database_url: str, key: Key, author: Author, *, only_count: bool = False) -> Adopted:
    """Vouch for everything that nothing vouches for, in one transaction.

    `key` signs all but facts, which the author's key signs. Bets go on meanwhile, but
    operators' commands wait. With `only_count` it changes nothing, and returns what would be added.
    """
    with transaction(database_url) as session:
        connection = session.connection()
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        strand = None if only_count else Strand(key)
        transfers = _adopt(connection, TRANSFER, strand)
        bets = _adopt(connection, REJECTED_BET, strand)
        rounds = _adopt_rounds(connection, strand)
        facts = _adopt_facts(connection, None if only_count else author)
    of_transfers = (transfers.found, transfers.first, transfers.last)
    return Adopted(*of_transfers, bets.found, facts, rounds)


class _Span(NamedTuple):
    """How many records were found, with the first and the last id."""

    found: int = 0
    first: int | None = None
    last: int | None = None


def _adopt(connection: Connection, kind: Kind, strand: Strand | None) -> _Span:
    """Vouch for all records of a kind. Without a strand it only counts them."""
    micros = connection.execute(_MICROS).scalar_one()
    found = stream(connection, _MISSING[kind], rows_per_fetch=_PER_ROW)
    span = _Span()
    for part in found.partitions(_PER_ROW):
        ids = [id_ for id_, _ in part]
        span = _Span(span.found + len(ids), span.first or ids[0], ids[-1])
        if strand is not None:
            records = Records()._replace(**{kind.column: ids})
            row = strand.append(records, [line for _, line in part], micros)
            connection.execute(insert(Journal), row.columns())
            strand.committed()  # all rows commit together or not at all
    return span


def _adopt_rounds(connection: Connection, strand: Strand | None) -> int:
    """Vouch for all finished rounds. Without a strand it only counts them."""
    nameless = 0
    if strand is None:
        nameless = connection.execute(_NAMELESS_ROUNDS).scalar_one()
    else:
        connection.execute(_NAME_ROUNDS)
    return _adopt(connection, FINISHED_ROUND, strand).found + nameless


def _adopt_facts(connection: Connection, author: Author | None) -> dict[str, int]:
    """Vouch for every fact that is in no entry, or only count them.

    Returns the numbers by plural.
    """
    writer = None if author is None else AuditWriter(connection, author)
    counts: dict[str, int] = {}
    found = _missing_facts(connection)
    while part := list(islice(found, ENTRIES_MAX)):
        for plural, _ in part:
            counts[plural] = counts.get(plural, 0) + 1
        if writer is not None:
            writer.write([fact for _, fact in part])
    return counts


def _missing_facts(connection: Connection) -> Iterator[tuple[str, Fact]]:
    for subject in SUBJECTS:
        query = text(missing(subject))
        for key, facts in stream(connection, query, subject.actions, rows_per_fetch=ENTRIES_MAX):
            yield subject.plural, Fact(subject.adopted, key, facts)
