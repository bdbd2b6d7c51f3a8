"""One line in the log for each job that ended without a result: which bet it was about, and why.

Of many that are alike, a few are written, and their number: as of answers
(`api/wallet/answer_log.py`).
"""

import logging
import time
from typing import Final

from broker.codec import BadJob, decode_job
from broker.orders import BadOrder
from logs.shown import shown
from logs.throttle import Throttle
from models.commands import BetCommand, Command

#: Not that of workers/jobs.py, whose complaints are thinned out by their text alone.
_LOG = logging.getLogger("betcore.job_log")
_WINDOW_SECONDS: Final = 10.0
_MOST: Final = 10
_LOOK_EVERY_SECONDS: Final = 1.0


class JobLog:
    """The lines of one worker."""

    def __init__(self) -> None:
        self._throttle: Throttle[str] = Throttle(_WINDOW_SECONDS)
        self._looked_at = time.monotonic()

    def expired(self, job_id: str, work: Command | bytes) -> None:
        """Note that the deadline of a job passed before it could be applied.

        `work` is its command, or its `data` where that was not read yet.
        """
        if self._throttle.lets("expired", _MOST):
            _LOG.warning("job expired: %s", _about(job_id, work))

    def more_expired(self, count: int) -> None:
        """Note that so many more did, of which nothing is known."""
        self._throttle.skip("expired", count)

    def failed(self, job_id: str, work: Command | bytes, error: Exception) -> None:
        """Note that a job cannot be run, with the traceback of what is no fault of the job's."""
        kind = type(error).__name__
        if self._throttle.lets(f"failed ({kind})", _MOST):
            traceback = None if isinstance(error, BadJob | BadOrder) else error
            text = "job failed: %s reason=%s"
            reason = shown(f"{kind}: {error}")
            _LOG.error(text, _about(job_id, work), reason, exc_info=traceback)

    def sum_up(self, *, everything: bool = False) -> None:
        """Say how many were not written, of the windows that ended; or of all, at the end."""
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


#: Of this process: a worker runs one batch at a time.
JOB_LOG: Final = JobLog()
