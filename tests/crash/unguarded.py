"""Takes a guard away from the product, in one process: would the campaign notice?

    CRASH_WITHOUT=lease python -m tests.crash.launch worker

Each function below takes one away; which promise it keeps, and what must notice that it is gone, is
in `tests/crash/guards.py`.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

from broker import batches, flights, link, scripts, taken
from broker.admission import Admission, Result, Verdict
from broker.batches import Batches
from broker.taken import TakenCommand
from models.audit.journal import Strand
from models.database import postgres
from models.database.prepared_connection import BatchTransaction
from models.database.query import COMMIT, Statement
from models.deadline import Deadline
from models.errors import LedgerUnavailable
from models.ledger.ledger import IdBlock, Ledger, LedgerConnection
from settings import Settings
from workers.lease import LeaseKeeper

_LONG_SECONDS = 3600.0


def take_away(guard: str) -> None:
    """Disable a guard; '' disables none. Raises KeyError if there is none of that name."""
    if guard:
        REMOVALS[guard]()


def _nonce() -> None:
    kept = "'NX', 'GET', 'PXAT', expires)"
    _change_script("admit", kept, "'PXAT', expires) and false")


def _memory() -> None:
    _change_script("admit", "tonumber(stamp) < since or ", "")


def _timestamp() -> None:
    assert "timestamp_tolerance_seconds" in Settings.model_fields
    os.environ["BETCORE_TIMESTAMP_TOLERANCE_SECONDS"] = str(int(_LONG_SECONDS))


def _durable_commit() -> None:
    assert postgres._PINNED["synchronous_commit"] == "on"
    postgres._PINNED["synchronous_commit"] = "off"


def _answer_after_commit() -> None:
    """The COMMIT is sent with the next batch: until then nothing is committed."""

    def commit(self: BatchTransaction, *statements: Statement) -> None:
        self._pipeline.run(*self._opening, *statements)
        self.ended = True

    run = LedgerConnection._run

    def opening(self: LedgerConnection, statements: list[Statement]) -> Iterator[BatchTransaction]:
        yield from run(self, [(COMMIT, ()), *statements])

    _set(BatchTransaction, "commit", commit)
    _set(LedgerConnection, "_run", opening)


def _lost_commit() -> None:
    """A commit that was not answered is treated as done."""
    original = BatchTransaction.commit

    def commit(self: BatchTransaction, *statements: Statement) -> None:
        try:
            original(self, *statements)
        except LedgerUnavailable:
            self.ended = True

    _set(BatchTransaction, "commit", commit)


def _lease() -> None:
    _set(LeaseKeeper, "is_held", lambda _: True)


def _deadline() -> None:
    """Ours, wherever it is looked at; what PostgreSQL is told follows from it."""
    original = taken.TakenCommand

    def taking(id_: str, work: Any, deadline: Deadline, *others: Any) -> TakenCommand:
        return original(id_, work, deadline.later(_LONG_SECONDS), *others)

    taken.__dict__["TakenCommand"] = taking


def _transaction_limit() -> None:
    original = LedgerConnection.transaction

    def transaction(self: LedgerConnection, _seconds_max: float) -> Any:
        return original(self, _LONG_SECONDS)

    _set(LedgerConnection, "transaction", transaction)


def _unanswered() -> None:
    """An empty Redis is believed when it refuses a request of before it lost its data."""
    _set(Admission, "refuse", Admission.resolve)


def _confirmed_nonce() -> None:
    """Every sender of a request gets its outcome, even if the nonce is another request's."""
    resolve = Admission.resolve

    def resolving(self: Admission, result: Result | Verdict) -> None:
        self.admitted = self.admitted or result is Verdict.UNKNOWN
        resolve(self, result)

    _set(Admission, "resolve", resolving)


def _id_discard() -> None:
    _set(IdBlock, "discard", lambda _: None)


def _new_strand() -> None:
    _set(Strand, "failed", lambda _: None)


def _sweep() -> None:
    _set(Batches, "sweep", lambda _: 0)


def _vanished_group() -> None:
    _change_script("sweep", "for first = 1, #players[group], PLAYERS_MAX do", "for first = 1, 0 do")


def _win_limits() -> None:
    _set(Ledger, "_load_win_days", lambda *_: None)


REMOVALS: dict[str, Callable[[], None]] = {
    "nonce": _nonce,
    "memory": _memory,
    "timestamp": _timestamp,
    "durable commit": _durable_commit,
    "answer after commit": _answer_after_commit,
    "lost commit": _lost_commit,
    "lease": _lease,
    "deadline": _deadline,
    "transaction limit": _transaction_limit,
    "unanswered": _unanswered,
    "confirmed nonce": _confirmed_nonce,
    "id discard": _id_discard,
    "new strand": _new_strand,
    "sweep": _sweep,
    "vanished group": _vanished_group,
    "win limits": _win_limits,
}


def _set(owner: type, name: str, function: Callable[..., Any]) -> None:
    assert hasattr(owner, name), f"{owner.__name__} has no {name}: what is taken away here?"
    setattr(owner, name, function)


def _change_script(name: str, text: str, other: str) -> None:
    """Replace one of the Lua scripts wherever it is read."""
    original = scripts.source

    def source(asked: str) -> str:
        found = original(asked)
        return found.replace(text, other) if asked == name else found

    assert original(name).count(text) == 1, f"{name}.lua has no {text}"
    for reader in (link, batches, flights):
        assert reader.__dict__["source"] is original
        reader.__dict__["source"] = source
