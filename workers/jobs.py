"""Runs a batch of jobs in one transaction: decode commands, apply them, return results.

A batch is run again one by one if it meets a unique violation or a job that cannot be run. So a
poisoned job fails alone. After a lost connection or a deadlock the whole batch is run again. A job
past its deadline is not applied. The deadline ends every repetition.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from broker.batches import FinishedJob, TakenJob
from broker.codec import BadJob, Work, decode_job
from broker.orders import BadOrder, Orders
from logs.warning_throttle import WarningThrottle
from models.codes import Code
from models.commands import CashCommand
from models.deadline import COMMIT_GRACE_SECONDS, Deadline
from models.errors import BetTaken, LedgerContention, LedgerUnavailable
from models.ledger.ledger import Ledger
from models.outcome import Outcome
from workers.job_log import JOB_LOG
from workers.lease import LeaseLost

_LOG = logging.getLogger("betcore.jobs")
_LOG.addFilter(WarningThrottle())
_AGAIN_AFTER_SECONDS = 0.1  # between tries while PostgreSQL is away
_TAKEN_TRIES = 10  # if another transaction recorded the bet first; the next try finds it

EXPIRED = "DeadlineExpired: the job's deadline passed before it could be applied."


class _Task(NamedTuple):
    job: TakenJob
    work: Work


def run(
    ledger: Ledger,
    jobs: Sequence[TakenJob],
    is_held: Callable[[], bool] = lambda: True,
    orders: Orders | None = None,
) -> list[FinishedJob]:
    """Run a batch and return one end per job, in any order. No job can make it raise.

    `orders` checks who ordered a job that moves cash. Without `orders` all such jobs are refused.

    `is_held` tells, once the accounts are locked, whether this worker still holds the lease. While
    it does, a worker that takes the batch over must wait for our locks. Without this check, a job
    that the other worker refused (6, or 7 for want of money) could be applied here afterwards.
    Raises LeaseLost if the lease is gone; nothing more is applied then.
    """
    done: list[FinishedJob] = []
    tasks: list[_Task] = []
    for job in jobs:
        try:
            work = decode_job(job.data)
        except BadJob as error:
            JOB_LOG.failed(job.id, job.data, error)
            done.append(FinishedJob(job.id, "", None, f"BadJob: {error}"))
            continue
        try:
            task = _Task(job, _ordered(job.id, work, orders))
            tasks.append(_with_deadline_of_order(task, orders))
        except BadOrder as error:
            JOB_LOG.failed(job.id, work.command, error)
            done.append(_no_order(job, work, str(error)))
    done.extend(_apply(ledger, tasks, is_held))
    return done


def _ordered(job_id: str, work: Work, orders: Orders | None) -> Work:
    """Return the work if the sender of the job may order its command.

    Gateways may order bets, so that these need nothing more. Raises BadOrder.
    """
    if not isinstance(work.command, CashCommand):
        return work
    if orders is None:
        raise BadOrder
    return work._replace(command=orders.checked(job_id, work, time.time()))


def _with_deadline_of_order(task: _Task, orders: Orders | None) -> _Task:
    """Return the task with the earlier deadline of job and order.

    Whoever can write to Redis can change the job's.
    """
    if task.work.order is None or orders is None:
        return task
    order_ends = Deadline.within(orders.seconds_left(task.work.order, time.time()))
    job = replace(task.job, deadline=min(task.job.deadline, order_ends))
    return task._replace(job=job)


def _apply(
    ledger: Ledger, tasks: Sequence[_Task], is_held: Callable[[], bool]
) -> Iterator[FinishedJob]:
    """Apply together what is in time, and repeat it until it is applied, fails or expires."""
    taken = 0
    while True:
        now = Deadline.within(0)
        yield from (_expired(task) for task in tasks if task.job.deadline <= now)
        tasks = [task for task in tasks if task.job.deadline > now]
        if not tasks:
            return
        try:
            yield from _apply_once(ledger, tasks, is_held)
            return
        except LeaseLost:
            raise
        except LedgerUnavailable as error:
            _LOG.warning("PostgreSQL is away, %d jobs wait: %s", len(tasks), error)
            time.sleep(_AGAIN_AFTER_SECONDS)
        except LedgerContention as error:
            _LOG.info("a batch of %d met another transaction: %s", len(tasks), error)
        except Exception as error:
            if len(tasks) > 1:
                _LOG.info("a batch of %d is run one by one: %s", len(tasks), error)
                for task in tasks:
                    yield from _apply(ledger, [task], is_held)
                return
            taken += isinstance(error, BetTaken)
            if not isinstance(error, BetTaken) or taken >= _TAKEN_TRIES:
                JOB_LOG.failed(tasks[0].job.id, tasks[0].work.command, error)
                yield _failed(tasks[0], f"{type(error).__name__}: {error}")
                return


def _apply_once(
    ledger: Ledger, tasks: Sequence[_Task], is_held: Callable[[], bool]
) -> Iterator[FinishedJob]:
    def in_time(index: int) -> bool:
        if not is_held():
            raise LeaseLost
        return not tasks[index].job.deadline.passed

    least = min(task.job.deadline for task in tasks).seconds_left()
    commands = [task.work.command for task in tasks]
    outcomes = ledger.apply(commands, in_time, least + COMMIT_GRACE_SECONDS)
    for task, outcome in zip(tasks, outcomes, strict=True):
        if outcome is None:
            yield _expired(task)
        else:
            yield FinishedJob(task.job.id, task.work.reply_to, outcome.to_json())


def _expired(task: _Task) -> FinishedJob:
    JOB_LOG.expired(task.job.id, task.work.command)
    return FinishedJob(task.job.id, task.work.reply_to, None, EXPIRED, expired=True)


def _failed(task: _Task, failure: str) -> FinishedJob:
    return FinishedJob(task.job.id, task.work.reply_to, None, failure)


def _no_order(job: TakenJob, work: Work, why: str) -> FinishedJob:
    """Fail the job. The waiting process gets the reason, with the code of an unknown outcome."""
    answer = Outcome(Code.UNKNOWN).to_json() | {"refused": why}
    return FinishedJob(job.id, work.reply_to, None, f"BadOrder: {why}", answer=answer)
