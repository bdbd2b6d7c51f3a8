"""A process's link to the queue: requests go in by scripts, results come back by a stream.

One script admits all requests of one event-loop tick. If its answer is lost with the connection,
it is sent again with the same tokens and does nothing twice. Results come on a stream
of this process (`broker/replies.py`). If Redis restarted empty, its jobs are gone, and their
requests stop waiting.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from redis import exceptions as redis_errors

from broker.admission import Admission, Result, Verdict
from broker.conditions import UnfitRedis
from broker.replies import Replies
from broker.scripts import common_arguments, job_arguments, source
from broker.watch import Watch
from broker.wire import Answer, Wire, connect, patience_seconds
from logs.warning_throttle import WarningThrottle
from metrics.measured import ADMIT, GROUP
from settings import Settings

_LOG = logging.getLogger("betcore.link")
_LOG.addFilter(WarningThrottle())
_LETTERS = {v.value: v for v in Verdict if isinstance(v.value, bytes)}
_ADMITTED = b"A"
# Redis refuses these before a script has written anything.
_NOT_EXECUTED = (
    *("LOADING", "READONLY", "OOM", "MASTERDOWN", "NOREPLICAS", "MISCONF", "BUSY", "NOPERM"),
    "UNUSABLE",
)
_GIVE_UP_EVERY_SECONDS = 0.05
_RECONNECT_AFTER_SECONDS = 0.1

#: Called with how crowded the queue is, in thousandths, as of a moment (loop time).
OnCrowded = Callable[[int, float], None]


class Link:
    """Admissions out, results in; `start` it inside an event loop, `stop` it at the end."""

    def __init__(self, settings: Settings, on_crowded: OnCrowded = lambda *_: None) -> None:
        """`settings.redis_url` names the Redis; `on_crowded` is told what each script has said."""
        self._settings = settings
        self._patience_seconds = patience_seconds(settings)
        self._on_crowded = on_crowded
        self._watch = Watch(settings.queue_name, settings.redis_connect_within_seconds)
        self._replies = Replies(settings, self._deliver)
        self.stream = self._replies.stream
        self._wire: Wire | None = None
        self._memory_began: int | None = (
            None  # when the memory of the Redis last connected to began
        )
        self._admit_sha = b""
        self._queue: deque[Admission] = deque()
        self._resend: list[Admission] = []  # to be sent again, as soon as there is a connection
        self._waiting: dict[str, Admission] = {}  # by token
        self._sent_at: deque[float] = deque()  # of the scripts not yet answered
        self._flush_is_due = False
        self._tasks: list[asyncio.Task[None]] = []
        self._limits = (
            *job_arguments(settings),
            int(settings.queue_wait_max_seconds * 1000),
            settings.queue_jobs_max,
        )

    @property
    def ready(self) -> bool:
        """Whether requests can be admitted and results received."""
        connected = self._wire is not None and self._replies.listening
        return connected and not self._watch.refusing

    @property
    def trouble(self) -> str:
        """Why requests are not admitted, in one line for an operator; "" when they are."""
        if self._watch.trouble:
            return self._watch.trouble
        return "" if self.ready else "Redis cannot be reached or used; the log says why."

    @property
    def warnings(self) -> list[str]:
        """What should be changed before it does harm, a line each."""
        return self._watch.warnings

    async def start(self) -> None:
        """Begin to connect, and keep connected; does not wait until it is."""
        keepers = (self._keep_admitting(), self._replies.keep_listening(), self._keep_time())
        self._tasks = [asyncio.create_task(keeper) for keeper in keepers]

    async def stop(self) -> None:
        """End the connections; whoever still waits is told what is known."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        for admission in list(self._waiting.values()):
            admission.give_up()

    def submit(self, admission: Admission) -> asyncio.Future[Any]:
        """Admit a request with the others of this tick; its future becomes a result or Verdict."""
        if not self.ready:
            admission.resolve(Verdict.NOT_ADMITTED)
            return admission.future
        self._waiting[admission.token] = admission
        self._queue.append(admission)
        self._flush_soon()
        return admission.future

    def ask(self, *command: str | bytes | int) -> asyncio.Future[Answer]:
        """Send any command; the future raises RedisError when it cannot be sent or fails."""
        if self._wire is None:
            refused: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            refused.set_exception(redis_errors.ConnectionError("there is no connection to Redis"))
            return refused
        return self._wire.call(*command)

    def _flush_soon(self) -> None:
        if not self._flush_is_due:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        while self._queue and self._wire is not None and self._wire.usable:
            batch: list[Admission] = []
            while self._queue and len(batch) < self._settings.admissions_per_script_max:
                admission = self._queue.popleft()
                if not admission.future.done() and not admission.apply_by.passed:
                    batch.append(admission)
            if batch:
                self._send(self._wire, batch)

    def _send(self, wire: Wire, batch: list[Admission]) -> None:
        arguments: list[str | bytes | int] = [*common_arguments(self._settings.queue_name)]
        arguments += self._limits
        for admission in batch:
            admission.sent = True
            arguments += admission.arguments()
        self._sent_at.append(time.monotonic())
        answer = wire.call("EVALSHA", self._admit_sha, 0, *arguments)
        answer.add_done_callback(partial(self._answered, wire, batch))

    def _answered(self, wire: Wire, batch: list[Admission], answer: asyncio.Future[Answer]) -> None:
        self._sent_at.popleft()
        error = None if answer.cancelled() else answer.exception()
        if error is None:
            letters, crowded = answer.result()
            now, admitted = time.monotonic(), letters.count(_ADMITTED)
            self._on_crowded(crowded, now)
            if admitted:
                GROUP.observe(admitted)
            for admission, letter in zip(batch, letters, strict=True):
                admission.admitted = letter == _ADMITTED
                if not admission.admitted:
                    self._refuse_one(admission, _LETTERS[letter])
                elif admission.signed_at:
                    ADMIT.observe(now - admission.signed_at)
        elif isinstance(error, redis_errors.ResponseError):
            self._script_failed(wire, batch, str(error))
        else:
            for admission in batch:
                admission.unanswered = True
            self._resend += batch

    def _script_failed(self, wire: Wire, batch: list[Admission], error: str) -> None:
        """Redis did not run the script, or failed in it."""
        _LOG.warning("Redis refused to admit %d requests: %s", len(batch), error)
        if error.startswith("NOSCRIPT"):
            for admission in batch:
                admission.sent = admission.unanswered  # this sending, at least, did nothing
            self._resend += batch
        else:
            untouched = error.startswith(_NOT_EXECUTED)
            for admission in batch:
                self._refuse_one(admission, Verdict.NOT_ADMITTED if untouched else Verdict.UNKNOWN)
        wire.abort()  # connecting again loads the script, and finds the new primary

    def _refuse_one(self, admission: Admission, verdict: Verdict) -> None:
        self._waiting.pop(admission.token, None)
        admission.refuse(verdict)

    # The keepers end only when they are cancelled: whatever the trouble, they try again.

    async def _keep_admitting(self) -> None:
        while True:
            try:
                wire = await connect(
                    self._settings.redis_url, self._settings.redis_connect_within_seconds
                )
            except Exception as error:
                self._watch.unfit = ""  # nobody knows any more
                _LOG.warning("Redis cannot be reached: %s", error)
                await asyncio.sleep(_RECONNECT_AFTER_SECONDS)
                continue
            try:
                await self._introduce(wire)
                self._wire = wire
                self._queue.extendleft(reversed(self._resend))
                self._resend.clear()
                self._flush()
                await self._watch.keep(wire)
            except UnfitRedis:  # the watch has logged it
                self._refuse_unsent()
            except Exception as error:
                _LOG.warning("Redis is not ready: %s", error)
            else:
                continue  # the connection was lost: the next one at once
            finally:
                self._wire = None
                wire.abort()
            await asyncio.sleep(_RECONNECT_AFTER_SECONDS)

    async def _introduce(self, wire: Wire) -> None:
        """Look at the server before any request is admitted there; load the script."""
        admit = wire.call("SCRIPT", "LOAD", source("admit"))  # on its way beside the questions
        admit.add_done_callback(lambda done: done.cancelled() or done.exception())
        born = await self._watch.meet(wire)
        if self._memory_began not in (None, born):
            self._give_up_forgotten()
        self._memory_began = born
        self._admit_sha = await admit

    def _refuse_unsent(self) -> None:
        """Refuse what is queued. `submit` refuses later requests, because `ready` is false."""
        for admission in (*self._queue, *self._resend):
            if not admission.future.done():
                self._refuse_one(admission, Verdict.NOT_ADMITTED)
        self._queue.clear()
        self._resend.clear()

    def _give_up_forgotten(self) -> None:
        """Stop waiting for jobs that Redis has lost. Only the ledger knows what became of them."""
        for admission in [a for a in self._waiting.values() if a.admitted]:
            del self._waiting[admission.token]
            admission.give_up()

    def _deliver(self, token: str, result: Result | None) -> None:
        admission = self._waiting.pop(token, None)
        if admission is not None:
            admission.resolve(Verdict.UNKNOWN if result is None else result)

    async def _keep_time(self) -> None:
        """Give up what is late, and a connection that does not answer."""
        while True:
            await asyncio.sleep(_GIVE_UP_EVERY_SECONDS)
            # They are not sorted by deadline, because look-ups delay some requests.
            for admission in [a for a in self._waiting.values() if a.answer_by.passed]:
                del self._waiting[admission.token]
                admission.give_up()
            late = time.monotonic() - self._patience_seconds
            if self._wire is not None and self._sent_at and self._sent_at[0] < late:
                self._wire.abort()
            self._replies.drop_if_late()
