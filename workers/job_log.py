"""One line in the log for each job that ended without a result: which bet it was about, and why.

Of many similar lines only a few are written, and the number of the rest. `api/wallet/answer_log.py`
does the same for answers.
"""

import logging
import time
from typing import Final

from broker.codec import BadJob, decode_job
from broker.orders import BadOrder
from logs.shown import shown
from logs.throttle import Throttle
from models.commands import BetCommand, Command

#: Not the logger of workers/jobs.py: its filter drops warnings with the same text.
_LOG = logging.getLogger("betcore.job_log")
_WINDOW_SECONDS: Final = 10.0
_MOST: Final = 10
_LOOK_EVERY_SECONDS: Final = 1.0


class JobLog:
    """The log lines of one worker."""

    def __init__(self) -> None:
        self._throttle: Throttle[str] = Throttle(_WINDOW_SECONDS)
        self._looked_at = time.monotonic()

    def expired(self, job_id: str, work: Command | bytes) -> None:
        """Log that the deadline of a job passed before the job could be applied.

        `work` is the job's command, or its `data` if that was not decoded yet.
        """
        if self._throttle.lets("expired", _MOST):
            _LOG.warning("job expired: %s", _about(job_id, work))

    def more_expired(self, count: int) -> None:
        """Count more expired jobs, about which nothing is known."""
        self._throttle.skip("expired", count)

    def failed(self, job_id: str, work: Command | bytes, error: Exception) -> None:
        """Log that a job cannot be run. A traceback follows, unless the job itself is at fault."""
        kind = type(error).__name__
        if self._throttle.lets(f"failed ({kind})", _MOST):
            traceback = None if isinstance(error, BadJob | BadOrder) else error
            text = "job failed: %s reason=%s"
            reason = shown(f"{kind}: {error}")
            _LOG.error(text, _about(job_id, work), reason, exc_info=traceback)

    def sum_up(self, *, everything: bool = False) -> None:
        """Log how many lines were suppressed in the windows that ended, or in all windows."""
        now = time.monotonic()
        if not everything and now - self._looked_at < _LOOK_EVERY_SECONDS:
            return
        self._looked_at = now
        for kind, count in self._throttle.ended(everything=everything):
            _LOG.warning("job %s: … and %d more like it", kind, count)


def _about(job_id: str, work: Command | bytes) -> str:
    command = _command(work)
    call = session_id = bet_id = None
    if command is not None:
        call = command.function.rpartition(".")[2]
    if isinstance(command, BetCommand):
        session_id, bet_id = command.session_id, command.bet_id
    names = ("id", "call", "session", "bet")
    values = (job_id, call, session_id, bet_id)
    return " ".join(f"{name}={shown(value)}" for name, value in zip(names, values, strict=True))


def _command(work: Command | bytes) -> Command | None:
    if not isinstance(work, bytes):
        return work
    try:
        return decode_job(work).command
    except BadJob:
        return None


#: One per process, because a worker runs one batch at a time.
JOB_LOG: Final = JobLog()
