"""One line in the log for each command that ended without a result: which bet, and why.

Of many similar lines only a few are written, and the number of the rest. `api/wallet/answer_log.py`
does the same for answers.
"""

import logging
import time
from collections.abc import Sequence
from typing import Final

from broker.codec import BadJob, Work
from broker.ended import FinishedCommand
from broker.orders import BadOrder
from broker.taken import Batch
from logs.fields import fields
from logs.shown import shown
from logs.throttle import Throttle
from models.commands import BetCommand

#: Not the logger of workers/jobs.py: its filter drops warnings with the same text.
_LOG = logging.getLogger("betcore.job_log")
_BATCH_LOG = logging.getLogger("betcore.batches")
_WINDOW_SECONDS: Final = 10.0
_MOST: Final = 10
_LOOK_EVERY_SECONDS: Final = 1.0


class JobLog:
    """The log lines of one worker."""

    def __init__(self) -> None:
        self._throttle: Throttle[str] = Throttle(_WINDOW_SECONDS)
        self._looked_at = time.monotonic()

    def expired(self, id_: str, work: Work | BadJob) -> None:
        """Log that the deadline of a command passed before the command could be applied."""
        if self._throttle.lets("expired", _MOST):
            about = _about(id_, work)
            _LOG.warning("job expired: %s", _told(about), extra=fields(**about))

    def failed(self, id_: str, work: Work | BadJob, error: Exception) -> None:
        """Log that a command cannot be applied.

        A traceback follows, unless the command itself is at fault.
        """
        kind = type(error).__name__
        if self._throttle.lets(f"failed ({kind})", _MOST):
            traceback = None if isinstance(error, BadJob | BadOrder) else error
            text = "job failed: %s reason=%s"
            reason = shown(f"{kind}: {error}")
            about = _about(id_, work)
            more = fields(**about, reason=reason)
            _LOG.error(text, _told(about), reason, exc_info=traceback, extra=more)

    def done(self, batch: Batch, ends: Sequence[FinishedCommand]) -> None:
        """Log a batch at level debug: how it ended, and its jobs."""
        if _BATCH_LOG.isEnabledFor(logging.DEBUG):
            jobs = [job.id for job in batch.jobs]
            applied = sum(end.result is not None for end in ends)
            _BATCH_LOG.debug(
                "batch %s: %d jobs, %d commands, %d with a result, waited %.3f s",
                *(batch.id, len(jobs), len(ends), applied, batch.waited_seconds),
                extra=fields(batch=batch.id, groups=" ".join(map(shown, jobs)), applied=applied),
            )

    def sum_up(self, *, everything: bool = False) -> None:
        """Log how many lines were suppressed in the windows that ended, or in all windows."""
        now = time.monotonic()
        if not everything and now - self._looked_at < _LOOK_EVERY_SECONDS:
            return
        self._looked_at = now
        for kind, count in self._throttle.ended(everything=everything):
            _LOG.warning("job %s: … and %d more like it", kind, count)


def _about(id_: str, work: Work | BadJob) -> dict[str, str | None]:
    call = session_id = bet_id = None
    if isinstance(work, Work):
        call = work.command.function.rpartition(".")[2]
        if isinstance(work.command, BetCommand):
            session_id, bet_id = work.command.session_id, work.command.bet_id
    return {"id": id_, "call": call, "session": session_id, "bet": bet_id}


def _told(about: dict[str, str | None]) -> str:
    return " ".join(f"{name}={shown(value)}" for name, value in about.items())


#: One per process, because a worker runs one batch at a time.
JOB_LOG: Final = JobLog()
