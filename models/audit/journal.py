"""The journal: for each transaction an HMAC over its records, chained to the previous row.

Workers sign transfers, rejected bets and finished rounds with the journal key. Operators' commands
sign entries of the audit log with the operator key. The hash covers text (models/audit/records.py),
which is the same from memory and from rows.
"""

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from models.audit.records import Records, bet_line, round_line, transfer_line
from models.database import query
from models.database.query import BYTEA, INT8, INT8S, TEXT, Query, Statement
from models.keys import Key
from models.ledger.state import Bet, Moment, Round, Transfer

#: What the first row of a strand is chained to.
BEGINNING = bytes(32)
FINGERPRINT_BYTES = 8

_INSERT = Query(
    b"insert_journal",
    "insert into journal (strand, number, key, transfers, fingerprints, hmac)"
    " values ($1, $2, $3, $4, $5, $6)",
    (query.UUID, INT8, TEXT, INT8S, BYTEA, BYTEA),
)
#: The statement for a batch that rejects bets.
_INSERT_WITH_BETS = Query(
    b"insert_journal_of_bets",
    "insert into journal (strand, number, key, transfers, fingerprints, hmac, bets)"
    " values ($1, $2, $3, $4, $5, $6, $7)",
    (*_INSERT.types, INT8S),
)
#: The statement for a batch that finishes rounds.
_INSERT_WITH_ROUNDS = Query(
    b"insert_journal_of_rounds",
    "insert into journal (strand, number, key, transfers, fingerprints, hmac, bets, rounds)"
    " values ($1, $2, $3, $4, $5, $6, nullif($7, '{}'), $8)",
    (*_INSERT.types, INT8S, INT8S),
)
STATEMENTS = (_INSERT, _INSERT_WITH_BETS, _INSERT_WITH_ROUNDS)


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of a strand. Number 0 means that there is none yet."""

    strand: UUID
    number: int
    hmac: bytes


def fingerprints(lines: Iterable[str]) -> bytes:
    """Eight bytes per record. They identify a record that was edited."""
    digests = [hashlib.sha256(text.encode()).digest()[:FINGERPRINT_BYTES] for text in lines]
    return b"".join(digests)


def row_hmac(
    key: Key, head: Head, micros: str, prints: bytes, lines: str, records: Records
) -> bytes:
    """The HMAC of the row after `head`, made at `micros`, that names `records`.

    A row that names only transfers has version 1. One that names finished rounds has version 3.
    Versions 1 and 2 are older than finished rounds, so they do not count them.
    """
    version, sizes = "1", ""
    if records.rounds:
        version, sizes = "3", ",".join([str(len(ids)) for ids in records]) + "|"
    elif records.bets or records.entries:
        version, sizes = "2", ",".join([str(len(ids)) for ids in records[:3]]) + "|"
    header = (
        f"betcore journal {version}|{key.id}|{head.strand}|{head.number + 1}|{head.hmac.hex()}|"
        f"{micros}|{sizes}{prints.hex()}|"
    )
    return hmac.digest(key.secret, (header + lines).encode(), "sha256")


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A row of the journal: the columns of its table.

    `created_at` is missing: it is the transaction's.
    """

    strand: UUID
    number: int
    key: str
    records: Records
    fingerprints: bytes
    hmac: bytes

    def to_statement(self) -> Statement:
        """The statement of the hot path that inserts the row, which has no entries."""
        transfers, bets, _, rounds = self.records
        place = (str(self.strand), self.number, self.key)
        values = (list(transfers), _bytea(self.fingerprints), _bytea(self.hmac))
        if rounds:
            return _INSERT_WITH_ROUNDS, (*place, *values, list(bets), list(rounds))
        if bets:
            return _INSERT_WITH_BETS, (*place, *values, list(bets))
        return _INSERT, (*place, *values)

    def columns(self) -> dict[str, object]:
        """The row's values by the columns of the table."""
        transfers, bets, entries, rounds = [list(ids) for ids in self.records]
        return {
            "strand": self.strand,
            "number": self.number,
            "key": self.key,
            "transfers": transfers,
            "fingerprints": self.fingerprints,
            "hmac": self.hmac,
            "bets": bets or None,
            "entries": entries or None,
            "rounds": rounds or None,
        }


class Strand:
    """The rows of one writer, one after the other. Another writer has another strand."""

    def __init__(self, key: Key, head: Head | None = None) -> None:
        """Continue after `head`, if there is one. Otherwise begin a new strand."""
        self._key = key
        self._head = head or _fresh()
        self._next: Head | None = None

    def batch(
        self,
        transfers: Sequence[Transfer],
        rejected: Sequence[Bet],
        moment: Moment,
        finished: Sequence[Round] = (),
    ) -> JournalRow:
        """The row for what a transaction of that moment inserts. It works like `append`.

        `finished` are the rounds that it finishes.
        """
        lines = [transfer_line(transfer, moment) for transfer in transfers]
        records = Records([transfer.id for transfer in transfers])
        if rejected:
            lines += [bet_line(bet, moment) for bet in rejected]
            records = records._replace(bets=[bet.id for bet in rejected])
        if finished:
            lines += [round_line(of_round, moment) for of_round in finished]
            records = records._replace(rounds=[of_round.id or 0 for of_round in finished])
        return self.append(records, lines, moment.micros)

    def append(self, records: Records, lines: Sequence[str], micros: str) -> JournalRow:
        """The row for records with these lines. Afterwards call `committed` or `failed`."""
        prints = fingerprints(lines)
        mac = row_hmac(self._key, self._head, micros, prints, "".join(lines), records)
        head = self._next = Head(self._head.strand, self._head.number + 1, mac)
        return JournalRow(head.strand, head.number, self._key.id, records, prints, mac)

    def committed(self) -> None:
        """The batch was committed. If it has a row, the next row is chained to it."""
        if self._next is not None:
            self._head, self._next = self._next, None

    def failed(self) -> None:
        """If the batch had a row, nobody knows what became of it. So a new strand begins."""
        if self._next is not None:
            self._head, self._next = _fresh(), None


def _fresh() -> Head:
    return Head(UUID(bytes=os.urandom(16), version=4), 0, BEGINNING)


def _bytea(value: bytes) -> str:
    return f"\\x{value.hex()}"
