"""The job that a stock RQ worker runs: one command, one transaction of the same ledger."""

from functools import cache
from typing import Any

from models.commands import BetCommand
from models.errors import BetTaken, LedgerContention
from models.keys import Purpose, require_ring
from models.ledger.ledger import Ledger, LedgerConnection
from settings import settings

_TRIES = 10


def apply(command: BetCommand) -> dict[str, Any]:
    """Apply a command; its outcome as `Outcome.to_json`. Raises LedgerError."""
    seconds = settings().apply_within_seconds
    for attempt in range(_TRIES):
        try:
            (outcome,) = _ledger().apply([command], lambda _: True, seconds)
        except (BetTaken, LedgerContention):
            if attempt == _TRIES - 1:
                raise
        else:
            assert outcome is not None  # noqa: S101 - it is always in time
            return outcome.to_json()
    raise AssertionError


@cache
def _ledger() -> Ledger:
    """Of this process: kept from job to job by a `SimpleWorker`, made anew in every fork."""
    configured = settings()
    return Ledger(
        LedgerConnection(
            configured.database_url,
            wait_seconds=configured.statement_wait_seconds,
            connect_seconds=configured.connect_timeout_seconds,
        ),
        require_ring(configured, Purpose.JOURNAL).current,
    )
