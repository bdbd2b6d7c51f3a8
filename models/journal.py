"""The journal: for each committed batch an HMAC over its transfers, chained to the one before.

What is hashed is text, the same from a batch in memory (`line`) and from its rows (`LINE`): fields
in a fixed order, each ended by a sign it cannot hold or preceded by its length, so that no two
transfers, and no two lists of transfers, have the same text (docs/adr/0010).
"""

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from models import queries
from models.db import Call
from models.keys import Key
from models.money import plain
from models.state import Moment, Transfer

#: What the first row of a strand is chained to.
BEGINNING = bytes(32)
FINGERPRINT_BYTES = 8

#: `line` in SQL, for a transfer `t` and its bet `b`, which may be missing; null when a field that
#: is never null is.
LINE = """(
    t.id || '|' || coalesce(t.bet::text, '') || '|' || t.debit_account || '|' || t.credit_account
    || '|' || trim_scale(t.amount) || '|' || t.account || '|' || t.account_seq
    || '|' || trim_scale(t.balance_after) || '|' || to_char(t.month, 'YYYY-MM-DD')
    || '|' || (extract(epoch from t.created_at) * 1000000)::bigint
    || '|' || coalesce(b.provider_id::text, '') || '|' || length(t.kind) || ':' || t.kind
    || '|' || coalesce(length(t.reference) || ':' || t.reference, '')
    || '|' || coalesce(length(b.bet_id) || ':' || b.bet_id, '') || ';'
)"""


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of a strand; number 0: there is none yet."""

    strand: UUID
    number: int
    hmac: bytes


def line(transfer: Transfer, moment: Moment) -> str:
    """A transfer as text; `moment` is that of the transaction which inserts it."""
    bet, reference = transfer.bet, transfer.reference
    bet_row = month = provider = bet_id = ""
    if bet is not None:
        bet_row, month, provider = str(bet.id), bet.month or "", str(bet.provider_id)
        bet_id = f"{len(bet.bet_id)}:{bet.bet_id}"
    return (
        f"{transfer.id}|{bet_row}|{transfer.debit_account_id}|{transfer.credit_account_id}|"
        f"{plain(transfer.amount)}|{transfer.account_id}|{transfer.account_seq}|"
        f"{plain(transfer.balance_after)}|{month or moment.month}|{moment.micros}|{provider}|"
        f"{len(transfer.kind)}:{transfer.kind}|"
        f"{'' if reference is None else f'{len(reference)}:{reference}'}|{bet_id};"
    )


def fingerprints(lines: Iterable[str]) -> bytes:
    """Eight bytes a transfer, which tell the one that was edited from the others."""
    digests = [hashlib.sha256(text.encode()).digest()[:FINGERPRINT_BYTES] for text in lines]
    return b"".join(digests)


def row_hmac(key: Key, head: Head, micros: str, prints: bytes, lines: str) -> bytes:
    """The HMAC of the row behind `head`, made at `micros`."""
    header = (
        f"betcore journal 1|{key.id}|{head.strand}|{head.number + 1}|{head.hmac.hex()}|{micros}|"
        f"{prints.hex()}|"
    )
    return hmac.digest(key.secret, (header + lines).encode(), "sha256")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the journal; the columns of its table but for `created_at`, the transaction's."""

    strand: UUID
    number: int
    key: str
    transfers: Sequence[int]
    fingerprints: bytes
    hmac: bytes

    def to_call(self) -> Call:
        """The statement of the hot path that inserts it."""
        place = (str(self.strand), self.number, self.key)
        values = (list(self.transfers), _bytea(self.fingerprints), _bytea(self.hmac))
        return queries.INSERT_JOURNAL, (*place, *values)


class Strand:
    """The rows of one writer, one after the other; another writer has another strand."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._head = _fresh()
        self._next: Head | None = None

    def batch(self, transfers: Sequence[Transfer], moment: Moment) -> Row:
        """As `append`, of the transfers that a transaction of that moment inserts."""
        lines = [line(transfer, moment) for transfer in transfers]
        return self.append([transfer.id for transfer in transfers], lines, moment.micros)

    def append(self, ids: Sequence[int], lines: Sequence[str], micros: str) -> Row:
        """The row for transfers of these lines; then say `committed` or `failed`."""
        prints = fingerprints(lines)
        mac = row_hmac(self._key, self._head, micros, prints, "".join(lines))
        head = self._next = Head(self._head.strand, self._head.number + 1, mac)
        return Row(head.strand, head.number, self._key.id, ids, prints, mac)

    def committed(self) -> None:
        """The batch was committed: its row, if it has one, is what the next is chained to."""
        if self._next is not None:
            self._head, self._next = self._next, None

    def failed(self) -> None:
        """Nobody knows what became of the row, if the batch had one: a new strand begins."""
        if self._next is not None:
            self._head, self._next = _fresh(), None


def _fresh() -> Head:
    return Head(UUID(bytes=os.urandom(16), version=4), 0, BEGINNING)


def _bytea(value: bytes) -> str:
    return f"\\x{value.hex()}"
