"""Recomputes the journal from the transfers that its rows name, and says what does not agree."""

import hmac
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT

from models.db import stream
from models.journal import BEGINNING, FINGERPRINT_BYTES, LINE, Head, fingerprints, row_hmac
from models.keys import KeyRing

_ROWS_PER_FETCH = 100  # each with the text of its transfers, some 10 KB
#: After so many rows it is told how far it is, or after a twentieth of them.
_ROWS_PER_STAGE = 10_000
_IDS_SHOWN = 20
_SIZE = FINGERPRINT_BYTES

#: In the order of the key, which the inner query fixes: to sort what it is joined with is not.
_ROWS = text(f"""
    select j.strand, j.number, j.key, j.transfers, j.fingerprints, j.hmac,
           ((extract(epoch from j.created_at) * 1000000)::bigint)::text as micros, found.lines
    from (select * from journal order by strand, number offset 0) j
    left join lateral (
        select string_agg({LINE}, '' order by named.place) as lines
        from unnest(j.transfers) with ordinality named(id, place)
        join transfer t on t.id = named.id
        left join bet b on b.id = t.bet
    ) found on true
    order by j.strand, j.number
""")  # noqa: S608 - ours

_TRANSFERS_OF_A_ROW = text(f"""
    select named.id, t.id is not null, {LINE}
    from unnest(:ids) with ordinality named(id, place)
    left join transfer t on t.id = named.id
    left join bet b on b.id = t.bet
    order by named.place
""").bindparams(bindparam("ids", type_=ARRAY(BIGINT)))  # noqa: S608 - ours

_COUNT = text("select count(*) from journal")
_STARTS = text("select transfer_id from journal_start")
_NOT_ONCE = text("""
    select t.id, coalesce(j.times, 0)
    from transfer t
    left join (
        select id, count(*) as times from journal, unnest(transfers) id group by id
    ) j on j.id = t.id
    where j.times > 1 or j.times is null and t.id > :start
""")
#: For every seal, too: how many ids the journal has since then should cost it little.
_BEFORE = text("""
    select count(*) from transfer t
    where t.id <= :start and not exists (
        select from (select unnest(transfers) as id from journal) j
        where j.id <= :start and j.id = t.id
    )
""")


class _Row(Protocol):
    strand: UUID
    number: int
    key: str
    transfers: list[int]
    fingerprints: bytes
    hmac: bytes
    micros: str
    lines: str | None


@dataclass(slots=True)
class JournalCheck:
    """What was found in the journal; the counts grow while `problems` is read."""

    rows: int = 0
    strands: int = 0
    before: int = 0  # transfers from before the journal began: nothing vouches for them
    _unknown_keys: dict[str, int] = field(default_factory=dict)

    def problems(
        self, connection: Connection, keys: KeyRing, on_stage: Callable[[str], None]
    ) -> Iterator[str]:
        """A sentence for everything that is wrong; memory does not grow with the journal."""
        yield from self._rows(connection, keys, on_stage)
        for key, rows in self._unknown_keys.items():
            yield (
                f"{rows} rows of the journal were made with the key {key}, which was not given"
                " (BETCORE_JOURNAL_KEYS_OLD): they are not verified."
            )
        on_stage("transfers in no row of the journal")
        yield from self._coverage(connection)

    def _rows(
        self, connection: Connection, keys: KeyRing, on_stage: Callable[[str], None]
    ) -> Iterator[str]:
        total = connection.execute(_COUNT).scalar_one()
        step = max(_ROWS_PER_STAGE, total // 20)
        before = Head(UUID(int=0), 0, BEGINNING)
        # What the row before may have had for its HMAC: what is stored, and what should be.
        chained: tuple[bytes, ...] = ()
        for row in stream(connection, _ROWS, rows_per_fetch=_ROWS_PER_FETCH):
            if self.rows % step == 0:
                on_stage(f"journal, {self.rows:,} of {total:,} rows")
            self.rows += 1
            if row.strand != before.strand:
                self.strands += 1
                before, chained = Head(row.strand, 0, BEGINNING), (BEGINNING,)
            if row.number != before.number + 1:
                yield _gap(before.number + 1, row)
                chained = ()
            key = keys.by_id.get(row.key)
            made: list[bytes] = []
            if key is None:
                self._unknown_keys[row.key] = self._unknown_keys.get(row.key, 0) + 1
            else:
                prints, lines = bytes(row.fingerprints), row.lines or ""
                heads = [Head(row.strand, row.number - 1, mac) for mac in chained]
                made = [row_hmac(key, head, row.micros, prints, lines) for head in heads]
                if not any(hmac.compare_digest(mac, row.hmac) for mac in made):
                    yield from _what_is_wrong(connection, row, is_chained=bool(chained))
            before = Head(row.strand, row.number, bytes(row.hmac))
            chained = tuple(dict.fromkeys((before.hmac, *made[:1])))

    def _coverage(self, connection: Connection) -> Iterator[str]:
        """Every transfer is in one row, if it is from after the journal began."""
        starts = connection.execute(_STARTS).scalars().all()
        if len(starts) != 1:
            yield f"The table journal_start has {len(starts)} rows, but should have one."
        for row in stream(connection, _NOT_ONCE, {"start": starts[0] if starts else 0}):
            if row[1]:
                yield f"Transfer {row[0]} is in {row[1]} rows of the journal, but should be in one."
            else:
                yield (
                    f"Transfer {row[0]} is in no row of the journal: it was inserted, or is a"
                    " worker's of a version without a journal."
                )
        self.before = before_the_journal(connection)


def before_the_journal(connection: Connection) -> int:
    """How many transfers are from before the journal began, and were never added to it."""
    start = connection.execute(_STARTS).scalars().first()
    return connection.execute(_BEFORE, {"start": start}).scalar_one() if start else 0


def listed(ids: Sequence[int]) -> str:
    """Ids for a sentence; not all of very many."""
    more = len(ids) - _IDS_SHOWN
    shown = ", ".join(map(str, ids[:_IDS_SHOWN]))
    return f"{shown} and {more} more" if more > 0 else shown


def _gap(first: int, row: _Row) -> str:
    last = row.number - 1
    missing = f"row {first} is" if first == last else f"rows {first} to {last} are"
    return f"Journal strand {row.strand}: {missing} missing."


def _what_is_wrong(connection: Connection, row: _Row, *, is_chained: bool) -> Iterator[str]:
    """Which transfers of a row were deleted or edited; when none was, it is the row itself."""
    place = f"row {row.number} of journal strand {row.strand}"
    found = connection.execute(_TRANSFERS_OF_A_ROW, {"ids": row.transfers}).all()
    kept = bytes(row.fingerprints)
    tells = len(kept) == len(found) * _SIZE
    named = False
    for index, (id_, exists, line) in enumerate(found):
        if not exists:
            named = True
            yield f"Transfer {id_} was deleted: {place} has it."
        elif tells and kept[index * _SIZE : (index + 1) * _SIZE] != fingerprints([line or ""]):
            named = True
            yield f"Transfer {id_} was edited: it or its bet is not as {place} has it."
    if named:
        return
    of = f"transfers {listed(row.transfers)}"
    if is_chained:
        yield f"{place.capitalize()} was edited or forged: nothing vouches for its {of}."
    else:
        yield f"{place.capitalize()} cannot be verified without the row before it; it has {of}."
