"""Seals: the last row of every strand, to be kept elsewhere. A seal reveals truncation.

A seal is a JSON document with its own HMAC. Without the key nobody can make a seal that fits a
truncated ledger.
"""

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, TEXT
from sqlalchemy.dialects.postgresql import UUID as UUIDS

from models.audit.journal_check import named
from models.audit.records import KINDS, Records
from models.audit.unvouched import Unvouched, count_older
from models.database.transactions import one_moment, stream
from models.errors import BetcoreError
from models.keys import Key, KeyRing

_VERSION = 3
_FIRST = 1  # it knew only transfers
_WITHOUT_ROUNDS = 2
#: The first version of a seal that counts the older records of a kind. The others have 2.
_SINCE = {"transfers": _FIRST, "finished rounds": _VERSION}

#: The query steps from strand to strand by the key, so that it does not read a whole long journal.
_HEADS = text("""
    with recursive strands(strand) as (
        (select strand from journal order by strand limit 1)
        union all
        select (select j.strand from journal j where j.strand > s.strand order by j.strand limit 1)
        from strands s where s.strand is not null
    )
    select head.strand, head.number, head.hmac, head.transfers, head.bets, head.entries,
           head.rounds
    from strands s
    cross join lateral (
        select * from journal j where j.strand = s.strand order by number desc limit 1
    ) head
    where s.strand is not null
    order by head.strand
""")
_SEALED_ROW = text("select hmac from journal where strand = :strand and number = :number")
_LAST = text("select coalesce(max(number), 0) from journal where strand = :strand")
_GONE = {
    kind: text(
        "select sealed.id from unnest(:ids) sealed(id)"  # noqa: S608 - ours
        f" where not exists (select from {kind.table} t where t.id = sealed.id) order by 1"
    ).bindparams(bindparam("ids", type_=ARRAY(BIGINT)))
    for kind in KINDS
}
_OF_OLD_KEYS = text("""
    select j.strand, j.number, j.key, j.transfers, j.bets, j.entries, j.rounds
    from journal j
    left join unnest(:strands, :numbers) sealed(strand, number) on sealed.strand = j.strand
    where j.key = any(:keys) and j.number > coalesce(sealed.number, 0)
    order by j.strand, j.number
""").bindparams(
    bindparam("strands", type_=ARRAY(UUIDS)),
    bindparam("numbers", type_=ARRAY(BIGINT)),
    bindparam("keys", type_=ARRAY(TEXT)),
)


class BadSeal(BetcoreError):  # noqa: N818
    """The seal cannot be read, was edited, or was made with a key that was not given."""


@dataclass(frozen=True, slots=True)
class SealedHead:
    """The last row of a strand at the time of the seal."""

    strand: UUID
    number: int
    hmac: bytes
    records: Records


@dataclass(frozen=True, slots=True)
class Seal:
    """What existed at one moment. A later ledger must still hold all of it."""

    sealed_at: datetime
    key: str  # names the key in use then, which signed the seal
    replaced: tuple[str, ...]  # names earlier keys that were no longer in use then
    older: Unvouched  # what nothing vouched for then
    heads: tuple[SealedHead, ...]
    version: int = _VERSION

    def covers(self, found: Unvouched) -> bool:
        """Whether no kind has more unvouched records now than at the time of the seal."""
        return not any(self.grown(found))

    def grown(self, found: Unvouched) -> Iterator[tuple[str, int, int]]:
        """What more is unvouched for now than then: its name, the number now, the number then."""
        then = self.older.by_plural
        for name, number in found.by_plural.items():
            before = then.get(name, 0)
            if number > before:
                yield name, number, before


def make_seal(database_url: str, journal: KeyRing, operator: KeyRing) -> Seal:
    """Seal the journal as it is at one moment, with its current key. It changes nothing.

    It waits for the synchronous standby, if there is one. A row that the standby does not have was
    never promised, and would be missing after a failover. Raises LedgerUnavailable if the standby
    may not have all of them.
    """
    with one_moment(database_url, replicated=True) as session:
        connection = session.connection()
        now = connection.execute(text("select now()")).scalar_one()
        rows = connection.execute(_HEADS).all()
        older = count_older(connection)
    heads = [
        SealedHead(strand, number, bytes(mac), Records(*[tuple(part or ()) for part in ids]))
        for strand, number, mac, *ids in rows
    ]
    replaced = [
        id_ for ring in (journal, operator) for id_ in ring.by_id.keys() - {ring.current.id}
    ]
    return Seal(now, journal.current.id, tuple(sorted(replaced)), older, tuple(heads))


def write_seal(seal: Seal, key: Key) -> str:
    """The seal as a JSON document, signed with the key that made it."""
    document = {
        "version": _VERSION,
        "sealedAt": seal.sealed_at.astimezone(UTC).isoformat(),
        "older": {
            "transfers": seal.older.transfers,
            "rejectedBets": seal.older.bets,
            "finishedRounds": seal.older.rounds,
            "facts": dict(seal.older.facts),
        },
        "key": seal.key,
        "replaced": list(seal.replaced),
        "heads": [
            {
                "strand": str(head.strand),
                "number": head.number,
                "hmac": head.hmac.hex(),
            }
            | {
                kind.column: [str(id_) for id_ in ids]
                for kind, ids in zip(KINDS, head.records, strict=True)
            }
            for head in seal.heads
        ],
    }
    mac = _hmac(document, key.secret)
    return json.dumps(document | {"hmac": mac}) + "\n"


def read_seal(text_: str, keys: KeyRing) -> Seal:
    """The seal of a document that `write_seal` made. Raises BadSeal."""
    try:
        document: dict[str, Any] = json.loads(text_)
        version = document["version"]
        if version not in (_FIRST, _WITHOUT_ROUNDS, _VERSION):
            raise BadSeal(f"The seal is of version {version!s:.40}, not {_VERSION}.")
        given = str(document.pop("hmac"))
        key = keys.by_id.get(str(document["key"]))
        if key is None:
            raise BadSeal(
                f"The seal was made with the key {document['key']!s:.40}, not given here."
            )
        if not hmac.compare_digest(given.encode(), _hmac(document, key.secret).encode()):
            raise BadSeal("The seal was edited: its HMAC does not match.")
        heads = [
            SealedHead(
                UUID(head["strand"]),
                int(head["number"]),
                bytes.fromhex(head["hmac"]),
                Records(*[[int(id_) for id_ in head.get(kind.column, ())] for kind in KINDS]),
            )
            for head in document["heads"]
        ]
        sealed_at = datetime.fromisoformat(document["sealedAt"])
        replaced = tuple([str(id_) for id_ in document["replaced"]])
        older = _older(document)
        return Seal(sealed_at, key.id, replaced, older, tuple(heads), version)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadSeal("This is not a seal: it cannot be read.") from error


def seal_problems(connection: Connection, seal: Seal, older: Unvouched) -> Iterator[str]:
    """A sentence for everything sealed that has changed, or that an old key has signed since.

    `older` is what is now older than the journal or the audit log, and was never adopted.
    """
    for name, now, then in seal.grown(older):
        if seal.version >= _SINCE.get(name, _WITHOUT_ROUNDS):
            yield (
                f"{now} {name} are said to be older than what vouches for them, but {then} were at"
                " the time of the seal."
            )
    for head in seal.heads:
        sealed = {"strand": head.strand, "number": head.number}
        found = connection.execute(_SEALED_ROW, sealed).scalar_one_or_none()
        if found is None:
            last = connection.execute(_LAST, sealed).scalar_one()
            yield (
                f"Journal strand {head.strand} was sealed with {head.number} rows, but has {last}:"
                " its tail was cut off."
            )
            yield from _gone(connection, head)
        elif not hmac.compare_digest(bytes(found), head.hmac):
            yield f"Journal strand {head.strand}: row {head.number} is not the one that was sealed."
    yield from _signed_since(connection, seal)


def _gone(connection: Connection, head: SealedHead) -> Iterator[str]:
    """Which records of a sealed row no longer exist."""
    for kind, ids in zip(KINDS, head.records, strict=True):
        for id_ in connection.execute(_GONE[kind], {"ids": list(ids)}).scalars():
            yield (
                f"{kind.name.capitalize()} {id_} was deleted: row {head.number} of journal strand"
                f" {head.strand} had it when that was sealed."
            )


def _signed_since(connection: Connection, seal: Seal) -> Iterator[str]:
    """Rows after the seal that were signed with keys already replaced at the time of the seal."""
    sealed = {
        "strands": [head.strand for head in seal.heads],
        "numbers": [head.number for head in seal.heads],
    }
    for strand, number, key, *ids in stream(
        connection, _OF_OLD_KEYS, sealed | {"keys": list(seal.replaced)}
    ):
        records = Records(*[part or () for part in ids])
        yield (
            f"Row {number} of journal strand {strand} was made with the key {key}, which had been"
            f" replaced when the seal was made: nothing vouches for its {named(records)}."
        )


def _hmac(document: dict[str, Any], secret: bytes) -> str:
    """The HMAC over the document in one form, whatever its spaces and the order of its names."""
    form = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hmac.digest(secret, b"betcore seal 1|" + form.encode(), "sha256").hex()


def _older(document: dict[str, Any]) -> Unvouched:
    if document["version"] == _FIRST:
        return Unvouched(int(document["beforeJournal"]))
    older = document["older"]
    facts = {str(name): int(number) for name, number in older["facts"].items()}
    rounds = int(older["finishedRounds"]) if document["version"] == _VERSION else 0
    return Unvouched(int(older["transfers"]), int(older["rejectedBets"]), facts, rounds=rounds)
