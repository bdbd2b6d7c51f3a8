"""Adds to the journal what is in no row of it: transfers older than it, or of an older version.

Who does so vouches for them as they are now; from then on they cannot be changed unseen.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text

from models.db import stream, transaction
from models.journal import LINE, Row, Strand
from models.keys import Key
from models.tables import Journal

_TRANSFERS_PER_ROW = 500
# Any number of ours but the migrations': two that adopt at once would add everything twice.
_LOCK = 5_318_009

_MISSING = text(f"""
    select t.id, {LINE}
    from transfer t
    left join bet b on b.id = t.bet
    where not exists (
        select from (select unnest(transfers) as id from journal) j where j.id = t.id
    )
    order by t.id
""")  # noqa: S608 - ours


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was added to the journal; the ids are None when it was nothing."""

    transfers: int
    first: int | None
    last: int | None


def adopt(database_url: str, key: Key, *, only_count: bool = False) -> Adopted:
    """Add every transfer that is in no row of the journal, in one transaction.

    Bets may go on meanwhile. `only_count` changes nothing and says what would be added.
    """
    count, first, last = 0, None, None
    with transaction(database_url) as session:
        connection = session.connection()
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        micros = connection.execute(
            text("select ((extract(epoch from now()) * 1000000)::bigint)::text")
        ).scalar_one()
        found = stream(connection, _MISSING, rows_per_fetch=_TRANSFERS_PER_ROW)
        strand = Strand(key)
        for part in found.partitions(_TRANSFERS_PER_ROW):
            count, first, last = count + len(part), first or part[0][0], part[-1][0]
            if not only_count:
                row = strand.append([id_ for id_, _ in part], [line for _, line in part], micros)
                connection.execute(insert(Journal), _values(row))
                strand.committed()  # with all the others, or none of them
    return Adopted(count, first, last)


def _values(row: Row) -> dict[str, Any]:
    """The columns of the journal's table."""
    return {
        "strand": row.strand,
        "number": row.number,
        "key": row.key,
        "transfers": list(row.transfers),
        "fingerprints": row.fingerprints,
        "hmac": row.hmac,
    }
