"""Applies a batch of commands in one transaction, and returns their results.

A batch is applied again one by one if it meets a unique violation or a command that cannot be
applied. So a poisoned command fails alone. After a lost connection or a deadlock the whole batch is
applied again. A command past its deadline is not applied. The deadline ends every repetition.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from broker.codec import BadJob, Work
from broker.ended import FinishedCommand
from broker.orders import BadOrder, Orders
from broker.taken import TakenCommand
from logs.warning_throttle import WarningThrottle
from metrics import measured
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
    taken: TakenCommand
    work: Work
    deadline: Deadline
    #: Whether a transaction may have begun to apply it, so that its end is not certain.
    tried: bool


def run(
    ledger: Ledger,
    commands: Sequence[TakenCommand],
    is_held: Callable[[], bool] = lambda: True,
    orders: Orders | None = None,
) -> list[FinishedCommand]:
    """Apply a batch and return one end per command, in any order. No command can make it raise.

    `orders` checks who ordered a command that moves cash. Without it all of these are refused.

    `is_held` tells, once the accounts are locked, whether this worker still holds the lease. While
    it does, a worker that takes the batch over must wait for our locks. Without this check, a
    command that the other worker refused (6, or 7 for want of money) could be applied here
    afterwards. Raises LeaseLost if the lease is gone; nothing more is applied then.
    """
    done: list[FinishedCommand] = []
    tasks: list[_Task] = []
    for taken in commands:
        work = taken.work
        if isinstance(work, BadJob):
            JOB_LOG.failed(taken.id, work, work)
            done.append(FinishedCommand(taken.id, "", None, f"BadJob: {work}", landed=False))
            continue
        try:
            tasks.append(_task(taken, work, orders))
        except BadOrder as error:
            JOB_LOG.failed(taken.id, work, error)
            done.append(_no_order(taken, work, str(error)))
    done.extend(_apply(ledger, tasks, is_held))
    return done


def _task(taken: TakenCommand, work: Work, orders: Orders | None) -> _Task:
    """What to apply, if the sender may order it, and until when.

    Gateways may order bets, so that these need nothing more. An order has a deadline of its own,
    because whoever can write to Redis can change the command's. Raises BadOrder.
    """
    if not isinstance(work.command, CashCommand):
        return _Task(taken, work, taken.deadline, taken.retaken)
    if orders is None or work.order is None:
        raise BadOrder("It is not signed with the operator key.")
    ordered = work._replace(command=orders.checked(taken.id, work, time.time()))
    ends = Deadline.within(orders.seconds_left(work.order, time.time()))
    return _Task(taken, ordered, min(taken.deadline, ends), taken.retaken)


def _apply(
    ledger: Ledger, tasks: Sequence[_Task], is_held: Callable[[], bool]
) -> Iterator[FinishedCommand]:
    """Apply together what is in time, and repeat it until it is applied, fails or expires."""
    conflicts = 0
    while True:
        now = Deadline.within(0)
        yield from (_expired(task) for task in tasks if task.deadline <= now)
        tasks = [task for task in tasks if task.deadline > now]
        if not tasks:
            return
        try:
            yield from _apply_once(ledger, tasks, is_held)
            return
        except LeaseLost:
            raise
        except LedgerUnavailable as error:
            _LOG.warning("PostgreSQL is away, %d commands wait: %s", len(tasks), error)
            time.sleep(_AGAIN_AFTER_SECONDS)
        except LedgerContention as error:
            _LOG.info("a batch of %d met another transaction: %s", len(tasks), error)
        except Exception as error:
            if len(tasks) > 1:
                _LOG.info("a batch of %d is applied one by one: %s", len(tasks), error)
                for task in tasks:
                    yield from _apply(ledger, [task._replace(tried=True)], is_held)
                return
            conflicts += isinstance(error, BetTaken)
            if not isinstance(error, BetTaken) or conflicts >= _TAKEN_TRIES:
                JOB_LOG.failed(tasks[0].taken.id, tasks[0].work, error)
                yield _failed(tasks[0], f"{type(error).__name__}: {error}")
                return
        tasks = [task._replace(tried=True) for task in tasks]


def _apply_once(
    ledger: Ledger, tasks: Sequence[_Task], is_held: Callable[[], bool]
) -> Iterator[FinishedCommand]:
    def in_time(index: int) -> bool:
        if not is_held():
            raise LeaseLost
        return not tasks[index].deadline.passed

    least = min(task.deadline for task in tasks).seconds_left()
    commands = [task.work.command for task in tasks]
    outcomes = ledger.apply(commands, in_time, least + COMMIT_GRACE_SECONDS)
    for task, outcome in zip(tasks, outcomes, strict=True):
        if outcome is None:
            yield _expired(task)
        else:
            yield FinishedCommand(task.taken.id, task.work.reply_to, outcome.to_json())


def _expired(task: _Task) -> FinishedCommand:
    id_, reply_to = task.taken.id, task.work.reply_to
    JOB_LOG.expired(id_, task.work)
    measured.EXPIRED.count += 1
    return FinishedCommand(id_, reply_to, None, EXPIRED, expired=True, landed=not task.tried)


def _failed(task: _Task, failure: str) -> FinishedCommand:
    return FinishedCommand(task.taken.id, task.work.reply_to, None, failure, landed=False)


def _no_order(taken: TakenCommand, work: Work, why: str) -> FinishedCommand:
    """Fail the command. Who waits for it gets the reason, with the code of an unknown outcome."""
    answer = Outcome(Code.UNKNOWN).to_json() | {"refused": why}
    failure = f"BadOrder: {why}"
    return FinishedCommand(taken.id, work.reply_to, None, failure, landed=False, answer=answer)
