"""The queue: what waits, who works, what failed."""

from api.console.visit import Go, View, Visit
from api.shared.problems import Problem
from broker.cash import QueueUnavailable
from broker.rq_queue import NothingRequeued, RqQueue, State, reachable_queue
from models.audit.log import Action, record

_FAILED_SHOWN = 50
_SECONDS_MAX = 7 * 24 * 3600


def now(visit: Visit) -> State | None:
    """The state of the queue, or None if Redis cannot be asked."""
    try:
        with reachable_queue(visit.services.settings) as found:
            return found.state()
    except QueueUnavailable:
        return None


def queue(visit: Visit) -> View:
    """The state of the queue, its workers, and its failed jobs."""
    with reachable_queue(visit.services.settings) as found:
        state, failed = found.state(), found.failed(_FAILED_SHOWN)
        return View("queue", {"name": found.name, "state": state, "failed": failed})


def suspend(visit: Visit) -> Go:
    """Admit and process nothing, for a time or until it is resumed."""
    seconds = visit.whole("seconds", _SECONDS_MAX) if visit.option("seconds") else None
    with reachable_queue(visit.services.settings) as found:
        _record(visit, Action.QUEUE_SUSPENDED, found, forSeconds=seconds)
        found.suspend(seconds)
    return Go("/queue", done="queue-suspended")


def resume(visit: Visit) -> Go:
    """Admit and process bets again."""
    with reachable_queue(visit.services.settings) as found:
        _record(visit, Action.QUEUE_RESUMED, found)
        found.resume()
    return Go("/queue", done="queue-resumed")


def requeue(visit: Visit) -> Go:
    """Put one failed job back on the queue, or all that can still be applied."""
    job = visit.option("job")
    with reachable_queue(visit.services.settings) as found:
        _record(visit, Action.QUEUE_REQUEUED, found, job=job or "all that failed")
        try:
            found.requeue(job) if job else found.requeue_all()
        except NothingRequeued as error:
            raise Problem(409, "nothing_requeued", str(error)) from None
    return Go("/queue", done="requeued")


def _record(visit: Visit, action: Action, found: RqQueue, **facts: str | int | None) -> None:
    """Record the action before it is done, as the command line does."""
    with visit.changing(visit.note) as database:
        record(database, action, found.name, **facts)
