"""Recomputes the journal from the records that its rows name, and reports what does not agree."""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT

from models.audit.journal import BEGINNING, FINGERPRINT_BYTES, Head, fingerprints, row_hmac
from models.audit.records import AUDIT_ENTRY, KINDS, TRANSFER, Kind, Records
from models.database.transactions import stream
from models.keys import Key

_ROWS_PER_FETCH = 100  # each with the text of its records, about 10 KB
#: It reports its progress after this many rows, or after a twentieth of them if that is more.
_ROWS_PER_STAGE = 10_000
_IDS_SHOWN = 20
_SIZE = FINGERPRINT_BYTES


def _lines(kind: Kind) -> str:
    return f"""
        left join lateral (
            select string_agg({kind.line}, '' order by named.place) as lines
            from unnest(j.{kind.column}) with ordinality named(id, place)
            join {kind.joined}
        ) of_{kind.column} on true
    """  # noqa: S608 - ours


#: In the order of the key, which the inner query fixes. So PostgreSQL does not sort the joined
#: rows.
_ROWS = text(f"""
    select j.strand, j.number, j.key, j.transfers, j.bets, j.entries, j.rounds, j.fingerprints,
           j.hmac,
           trim_scale(extract(epoch from j.created_at) * 1000000)::text as micros,
           concat({", ".join(f"of_{kind.column}.lines" for kind in KINDS)}) as lines
    from (select * from journal order by strand, number offset 0) j
    {" ".join(map(_lines, KINDS))}
    order by j.strand, j.number
""")  # noqa: S608 - ours

_RECORDS_OF_A_ROW = {
    kind: text(f"""
        select named.id, {kind.alias}.id is not null, {kind.line}
        from unnest(:ids) with ordinality named(id, place)
        left join {kind.joined}
        order by named.place
    """).bindparams(bindparam("ids", type_=ARRAY(BIGINT)))  # noqa: S608 - ours
    for kind in KINDS
}

_COUNT = text("select count(*) from journal")
_STARTS = text("select count(*) from journal_start")
_NOT_ONCE = {
    kind: text(f"""
        select {kind.alias}.id, coalesce(j.times, 0)
        from {kind.table} {kind.alias}
        left join (
            select id, count(*) as times from journal, unnest({kind.column}) id group by id
        ) j on j.id = {kind.alias}.id
        where {kind.only} and (
            j.times > 1 or j.times is null and {kind.alias}.id > coalesce(({kind.start}), 0)
        )
    """)  # noqa: S608 - ours
    for kind in KINDS
}
#: Every seal runs this too. So its cost should hardly depend on the ids that the journal has since.
_BEFORE = {
    kind: text(f"""
        select count(*) from {kind.table} {kind.alias}
        where {kind.only} and {kind.alias}.id <= ({kind.start}) and not exists (
            select from (select unnest({kind.column}) as id from journal) j
            where j.id <= ({kind.start}) and j.id = {kind.alias}.id
        )
    """)  # noqa: S608 - ours
    for kind in KINDS
}


class _Row(Protocol):
    strand: UUID
    number: int
    key: str
    transfers: list[int]
    bets: list[int] | None
    entries: list[int] | None
    rounds: list[int] | None
    fingerprints: bytes
    hmac: bytes
    micros: str
    lines: str


@dataclass(slots=True)
class JournalCheck:
    """What was found in the journal. The counts grow while `problems` is read."""

    keys: Mapping[str, Key]  # the keys of all purposes that were given, by id
    rows: int = 0
    strands: int = 0
    unknown: dict[str, int] = field(default_factory=dict)  # records in rows of keys not given

    def problems(self, connection: Connection, on_stage: Callable[[str], None]) -> Iterator[str]:
        """A sentence for everything that is wrong. Memory does not grow with the journal."""
        yield from self._rows(connection, on_stage)
        for kind in KINDS:
            on_stage(f"{kind.plural} in no row of the journal")
            yield from _coverage(connection, kind)

    def _rows(self, connection: Connection, on_stage: Callable[[str], None]) -> Iterator[str]:
        total = connection.execute(_COUNT).scalar_one()
        step = max(_ROWS_PER_STAGE, total // 20)
        before: Head | None = None
        # The HMACs that the previous row may have: the stored one, and the one it should have.
        chained: tuple[bytes, ...] = ()
        for row in stream(connection, _ROWS, rows_per_fetch=_ROWS_PER_FETCH):
            if self.rows % step == 0:
                on_stage(f"journal, {self.rows:,} of {total:,} rows")
            self.rows += 1
            if before is None or row.strand != before.strand:
                self.strands += 1
                before, chained = Head(row.strand, 0, BEGINNING), (BEGINNING,)
            if row.number != before.number + 1:
                yield _gap(before.number + 1, row)
                chained = ()
            records = _records(row)
            key = self.keys.get(row.key)
            made: list[bytes] = []
            if key is None:
                named = sum(map(len, records))
                self.unknown[row.key] = self.unknown.get(row.key, 0) + named
            else:
                prints = bytes(row.fingerprints)
                heads = [Head(row.strand, row.number - 1, mac) for mac in chained]
                made = [
                    row_hmac(key, head, row.micros, prints, row.lines, records) for head in heads
                ]
                if not any(hmac.compare_digest(mac, row.hmac) for mac in made):
                    yield from _what_is_wrong(connection, row, is_chained=bool(chained))
                yield from _of_another_purpose(row, key)
            before = Head(row.strand, row.number, bytes(row.hmac))
            chained = tuple(dict.fromkeys((before.hmac, *made[:1])))


def before_the_journal(connection: Connection, kind: Kind) -> int:
    """How many records of this kind are older than the journal, and were never adopted."""
    return int(connection.execute(_BEFORE[kind]).scalar_one())


def listed(ids: Sequence[int]) -> str:
    """Ids for a sentence, at most 20 of them and the number of the rest."""
    more = len(ids) - _IDS_SHOWN
    shown = ", ".join(map(str, ids[:_IDS_SHOWN]))
    return f"{shown} and {more} more" if more > 0 else shown


def named(records: Records) -> str:
    """Records for a sentence, such as `transfers 1, 2 and rejected bets 3`."""
    parts = zip(KINDS, records, strict=True)
    return " and ".join([f"{kind.plural} {listed(ids)}" for kind, ids in parts if ids])


def _coverage(connection: Connection, kind: Kind) -> Iterator[str]:
    """Every record is in one row, if it is from after the start of the journal."""
    if kind is TRANSFER:
        starts = connection.execute(_STARTS).scalar_one()
        if starts != 1:
            yield f"The table journal_start has {starts} rows, but should have one."
    for id_, times in stream(connection, _NOT_ONCE[kind]):
        name = f"{kind.name.capitalize()} {id_}"
        if times:
            yield f"{name} is in {times} rows of the journal, but should be in one."
        elif kind is AUDIT_ENTRY:
            yield f"{name} is in no row of the journal: it was inserted."
        else:
            yield (
                f"{name} is in no row of the journal: it was inserted, or a worker of a version"
                " without a journal wrote it."
            )


def _records(row: _Row) -> Records:
    return Records(row.transfers, row.bets or (), row.entries or (), row.rounds or ())


def _gap(first: int, row: _Row) -> str:
    last = row.number - 1
    missing = f"row {first} is" if first == last else f"rows {first} to {last} are"
    return f"Journal strand {row.strand}: {missing} missing."


def _place(row: _Row) -> str:
    return f"row {row.number} of journal strand {row.strand}"


def _of_another_purpose(row: _Row, key: Key) -> Iterator[str]:
    """A worker's key vouches for no entry, and an operator's key for no money."""
    ids = [
        () if kind.purpose is key.purpose else found
        for kind, found in zip(KINDS, _records(row), strict=True)
    ]
    if any(ids):
        yield (
            f"{_place(row).capitalize()} was signed with the {key.purpose} key {key.id}, which may"
            f" not vouch for {named(Records(*ids))}."
        )


def _what_is_wrong(connection: Connection, row: _Row, *, is_chained: bool) -> Iterator[str]:
    """Which records of a row were deleted or edited. If none was, the row itself is wrong."""
    place, records, kept = _place(row), _records(row), bytes(row.fingerprints)
    found = [
        (kind, *record)
        for kind, ids in zip(KINDS, records, strict=True)
        if ids
        for record in connection.execute(_RECORDS_OF_A_ROW[kind], {"ids": list(ids)})
    ]
    tells = len(kept) == len(found) * _SIZE
    any_named = False
    for index, (kind, id_, exists, line) in enumerate(found):
        name = f"{kind.name.capitalize()} {id_}"
        if not exists:
            any_named = True
            yield f"{name} was deleted: {place} has it."
        elif tells and kept[index * _SIZE : (index + 1) * _SIZE] != fingerprints([line or ""]):
            any_named = True
            yield f"{name} was edited: {kind.edited} as {place} has it."
    if any_named:
        return
    of = named(records)
    if is_chained:
        yield f"{place.capitalize()} was edited or forged: nothing vouches for its {of}."
    else:
        yield f"{place.capitalize()} cannot be verified without the row before it; it has {of}."
