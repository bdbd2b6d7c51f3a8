"""RQ's worker with batches: one PostgreSQL transaction and one finish script per batch.

It keeps RQ's registration, loop, signals, commands, suspension and dashboard. It replaces taking,
finishing, the shutdown while idle, and the recovery of abandoned jobs. RQ's versions lose jobs,
take minutes, or need 22 round trips per job (docs/adr/0003).
"""

import logging
import time
from typing import Any

from redis.exceptions import RedisError
from rq import Queue
from rq.worker import WorkerStatus

from broker.batches import Batches
from broker.ended import FinishedCommand
from broker.orders import Orders
from broker.permissions import WORKER, require_fit
from broker.taken import Batch
from logs.warning_throttle import WarningThrottle
from metrics.measured import FINISH, LEASES_LOST, QUEUE, SWEPT
from models.deadline import COMMIT_GRACE_SECONDS
from models.errors import BetcoreError
from models.keys import Purpose, require_distinct, require_ring
from models.ledger.ledger import Ledger, LedgerConnection
from workers.job_log import JOB_LOG
from workers.jobs import run
from workers.lease import LeaseKeeper, LeaseLost
from workers.presence import PresentWorker
from workers.surroundings import Surroundings
from workers.traced import codes_of, spans_of

_LOG = logging.getLogger("betcore.worker")
_LOG.addFilter(WarningThrottle())
_REDIS_AGAIN_AFTER_SECONDS = 0.2
_SURROUNDINGS_EVERY_SECONDS = 5.0
_COUNTS_EVERY_SECONDS = 1.0
_RQ_LOOKS_EVERY_SECONDS = 0.5  # at its suspension, and at a limit of jobs


class QueueSetupError(BetcoreError):
    """A worker listens to exactly one queue, and needs DATABASE_URL."""


class BatchWorker(PresentWorker):
    """Runs batches. `betcore worker` starts it, or RQ itself:

    `rq worker-pool bets --worker-class workers.worker.BatchWorker`
    """

    log_result_lifespan = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes the arguments of RQ's worker. The serializer is always JSON.

        Raises QueueSetupError, NoKey or BadKey.
        """
        super().__init__(*args, **kwargs)
        if len(self.queues) != 1 or not self.settings.database_url:
            raise QueueSetupError
        self._chains = True
        self._waits = False  # whether it waits for jobs, and does not end without one
        self._empty: Batch | None = None  # what the last take found, if it was nothing
        self._journal_key = require_ring(self.settings, Purpose.JOURNAL).current
        self._operator_keys = require_ring(self.settings, Purpose.OPERATOR)
        require_distinct(self.settings)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Register as RQ does, and prepare what a batch needs.

        Raises UnfitRedis or UnsupportedDatabase before the worker is registered.
        """
        require_fit(self.connection, self.queues[0].name, WORKER)
        self._ledger_connection = LedgerConnection(
            self.settings.database_url,
            wait_seconds=self.settings.statement_wait_seconds,
            connect_seconds=self.settings.connect_timeout_seconds,
            pool="worker",
        )
        self._ledger_connection.check()
        queue_settings = self.settings.model_copy(update={"queue_name": self.queues[0].name})
        self._batches = Batches(self.connection, queue_settings, self.name, self.key)
        self._batches.prepare()
        # RQ does this after it has registered the worker. A signal in between would end the process
        # at once, and leave it registered.
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        super().bootstrap(*args, **kwargs)
        self._ledger = Ledger(self._ledger_connection, self._journal_key)
        self._orders = Orders(self._operator_keys, queue_settings)
        every = self.settings.lease_seconds / self.settings.lease_renewals_per_lease
        self._lease = LeaseKeeper(self._renew, every, self.settings.lease_seconds)
        self._lease.start()
        self._surroundings = Surroundings(self.connection, self._batches, self.queues[0].name)

    @property
    def redis_ready(self) -> bool:
        """Whether the last call of Redis was answered. Any thread may ask."""
        return "_batches" in vars(self) and self._batches.redis_ready

    def work(self, *args: Any, max_jobs: int | None = None, **kwargs: Any) -> bool:
        """Run RQ's loop. It counts batches for `max_jobs`, so each of them then is one turn."""
        self._chains = max_jobs is None
        kwargs["max_jobs"] = max_jobs
        return bool(super().work(*args, **kwargs))

    # Taking.

    def dequeue_job_and_maintain_ttl(  # type: ignore[override]
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Batch | None, Queue] | None:
        """Wait for a batch. RQ's loop passes it to `execute_job` unread.

        Without a batch the loop looks at suspension and signals, and goes on. None ends it: the
        worker was idle for too long, or had to end at an empty queue.
        """
        queue = self.queues[0]
        self._waits = timeout is not None
        idle_since = time.monotonic()
        while not self._stop_requested:
            try:
                self._look_around()  # also if every wait ends with a batch
                batch = self._empty if self._empty is not None else self._take()
                self._empty = None
                if batch is None:
                    self._due["suspension"] = 0.0  # so that RQ shows it
                    return None, queue
                if batch.jobs:
                    return batch, queue
                if timeout is None:  # burst
                    return None
                if max_idle_time is not None and time.monotonic() - idle_since >= max_idle_time:
                    return None
                batch = self._wait_for_one()
                if batch is not None:
                    return batch, queue
            except RedisError as error:
                _LOG.warning("Redis is away: %s", error)
                self._empty = None
                self._shown_state = None  # a take whose answer was lost may have set a state
                time.sleep(_REDIS_AGAIN_AFTER_SECONDS)
        return None, queue

    def _take(self) -> Batch | None:
        shows = self._shown_state != WorkerStatus.BUSY
        batch = self._batches.take(time.time(), shows=shows, offers=self._waits)
        if batch is not None and batch.jobs:
            self._shown_state = WorkerStatus.BUSY  # the script has written it
        return batch

    def _withdraw(self) -> Batch | None:
        try:
            return self._batches.withdraw()
        except RedisError as error:
            _LOG.warning("Redis is away: %s", error)
            return None

    def _look_around(self) -> None:
        """What is due from time to time, whether there is work or not."""
        self.heartbeat()
        if self._is_due("surroundings", _SURROUNDINGS_EVERY_SECONDS):
            self._surroundings.look()
        self._sweep()
        if self._is_due("counts", _COUNTS_EVERY_SECONDS):
            self._batches.report()
        JOB_LOG.sum_up()

    def _wait_for_one(self) -> Batch | None:
        """Sleep until a batch is handed over, or until it is time to look around."""
        batch = self._batches.wait(self.settings.sweep_seconds)
        if batch is None:
            self.set_state(WorkerStatus.IDLE)
        return batch

    def _renew(self, batch: Batch) -> bool:
        """Called by the thread that keeps the lease."""
        held = self._batches.renew(batch)
        if held:
            self._shown_state = WorkerStatus.BUSY  # the script has written it
        return held

    def check_for_suspension(self, burst: bool) -> None:
        """As RQ. But a worker with an offer in Redis must not sleep: its next take looks."""
        if self._empty is None:
            super().check_for_suspension(burst)

    # Running and finishing.

    def execute_job(self, batch: Batch | None, queue: Queue) -> None:  # type: ignore[override] # noqa: ARG002
        """Run a batch to its end, and those that `finish` hands out after it.

        No error of a job or a server leaves this method.
        """
        until = time.monotonic() + _RQ_LOOKS_EVERY_SECONDS
        while batch is not None and batch.jobs:
            goes_on = self._chains and not self._stop_requested and time.monotonic() < until
            batch = self._execute(batch, take=goes_on)
            self._empty = batch if goes_on and batch is not None and not batch.jobs else None

    def _execute(self, batch: Batch, *, take: bool) -> Batch | None:
        commands = batch.commands
        QUEUE.observe(batch.waited_seconds)
        self._state = WorkerStatus.BUSY
        self._lease.taken(batch.leased_from)
        traced = spans_of(batch)
        last = max(command.deadline for command in commands)
        self._lease.hold(batch, last.later(COMMIT_GRACE_SECONDS))
        try:
            ends = run(self._ledger, commands, self._lease.is_held, self._orders)
            began = time.perf_counter()
            following = self._finish(batch, ends, take=take)
            FINISH.observe(time.perf_counter() - began)
            if traced is not None and following is not None:
                traced.finished(began, codes_of(ends))
            JOB_LOG.done(batch, ends)
            return following
        except LeaseLost:
            LEASES_LOST.count += 1
            _LOG.warning(
                "batch %s was taken over by another worker before it was applied", batch.id
            )
            return None
        finally:
            self._lease.release()

    def _finish(self, batch: Batch, ends: list[FinishedCommand], *, take: bool) -> Batch | None:
        """Hand in the results, and return the next batch.

        It tries again for as long as the lease can still be held.
        """
        until = time.monotonic() + self.settings.lease_seconds
        while True:
            try:
                following = self._batches.finish(
                    batch, ends, time.time(), take=take, offers=self._waits
                )
            except RedisError as error:
                _LOG.warning("batch %s could not be finished: %s", batch.id, error)
                if time.monotonic() >= until:
                    return None  # commits stay; rerun jobs find them
                time.sleep(_REDIS_AGAIN_AFTER_SECONDS)
                continue
            if following is None:
                LEASES_LOST.count += 1
                _LOG.warning("batch %s was taken over by another worker", batch.id)
                return None
            return following

    def _sweep(self) -> None:
        if self._is_due("sweep", self.settings.sweep_seconds):
            queued = self._batches.sweep()
            if queued:
                SWEPT.count += queued
                _LOG.warning("%d jobs or players stood still, and go on", queued)

    # Beginning and end.

    def _shutdown(self) -> None:
        # When idle, RQ raises out of the signal handler. That strands a job which Redis is handing
        # over at that moment. We wait at most `sweep_seconds`.
        self._stop_requested = True

    def teardown(self) -> None:
        """Take the offer back, unregister, and close what `bootstrap` opened.

        RQ's loop may end anywhere. What was handed over before is run.
        """
        self._chains = False
        self.execute_job(self._withdraw(), self.queues[0])
        JOB_LOG.sum_up(everything=True)
        self._lease.end()
        self._ledger_connection.close()
        try:
            super().teardown()  # type: ignore[no-untyped-call]
        except RedisError as error:
            _LOG.warning("could not unregister: %s", error)
