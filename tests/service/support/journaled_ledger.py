"""A ledger whose transfers are in a journal, to be tampered with by somebody without its key."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from models.audit.adopt import adopt
from models.audit.seal import Seal, make_seal
from models.audit.verify import Asked, Report, verify
from models.commands import PayInOut
from models.database.engine import engine
from models.keys import Key, KeyRing
from models.ledger.ledger import Ledger, LedgerConnection
from tests.service.support.keys import AUTHOR, JOURNAL, OPERATOR
from tests.service.support.ledger_copy import ANN, LedgerCopy, whole_ledger

#: What is said of a transfer, in full.
EDITED = "Transfer {} was edited: it or its bet is not as row {} of journal strand S has it."
DELETED = "Transfer {} was deleted: row {} of journal strand S has it."
UNKNOWN = (
    "Transfer {} is in no row of the journal: it was inserted, or a worker of a version without a"
    " journal wrote it."
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def bet(bet_id: str, stake: str = "1", win: str = "2") -> PayInOut:
    """A bet of Ann."""
    return PayInOut(1, "session-1", ANN, bet_id, None, Decimal(stake), Decimal(win), None)


@contextmanager
def ledger_of(ledger_copy: LedgerCopy, key: Key = JOURNAL.current) -> Iterator[Ledger]:
    """A writer with a strand of its own."""
    connection = LedgerConnection(ledger_copy.url, wait_seconds=8, connect_seconds=2)
    try:
        yield Ledger(connection, key)
    finally:
        connection.close()


@contextmanager
def journaled_ledger() -> Iterator[LedgerCopy]:
    """Transfers 1 to 6 and all facts were adopted; three batches of two bets follow, on one strand.

    Row 1 has 1001, 1002, 1004, 1005; row 2 has 1007, 1008, 1010, 1011; row 3 has 1013, 1014, 1016,
    1017: the ids between are the bets'.
    """
    with whole_ledger() as ledger_copy:
        adopt(ledger_copy.url, JOURNAL.current, AUTHOR)
        with ledger_of(ledger_copy) as ledger:
            for batch in ("one", "two", "three"):
                commands = [bet(f"{batch} {number}") for number in (1, 2)]
                ledger.apply(commands, lambda _: True, 5)
        engine(ledger_copy.url).dispose()
        yield ledger_copy


def verified(ledger_copy: LedgerCopy, keys: KeyRing = JOURNAL, seal: Seal | None = None) -> Report:
    """What the verification finds, with the journal."""
    return verify(ledger_copy.url, 1000, Asked(keys, OPERATOR, seal))


def sealed(ledger_copy: LedgerCopy, keys: KeyRing = JOURNAL) -> Seal:
    """A seal of it as it is now."""
    return make_seal(ledger_copy.url, keys, OPERATOR)


def problems(
    ledger_copy: LedgerCopy, keys: KeyRing = JOURNAL, seal: Seal | None = None
) -> Sequence[str]:
    """Its problems, without the names of strands, which are random."""
    return [_UUID.sub("S", problem) for problem in verified(ledger_copy, keys, seal).problems]


def of_journal(ledger_copy: LedgerCopy) -> Sequence[str]:
    """Those of them that are about the journal: other checks find some of the same."""
    return [problem for problem in problems(ledger_copy) if "journal" in problem]
