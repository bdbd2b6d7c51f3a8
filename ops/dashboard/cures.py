"""What rq-dashboard does with RQ, put right: JSON only, pages that do not overlap, requeue.

rq-dashboard 0.9.0 (pinned) names RQ's classes in its module `rq_dashboard.web`; that is the seam.
"""

import time
from typing import Any, Final, cast

from redis import Redis
from rq import Worker
from rq.exceptions import DeserializationError, InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.queue import Queue
from rq.registry import (
    BaseRegistry,
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.worker.base import BaseWorker
from rq_dashboard import web

# Of one press of "Requeue All". It must end within the dashboard's own time to stop: RQ takes a job
# off the failed ones first and queues it next, so one that is cut off in between is in neither.
REQUEUE_JOBS_MAX = 1_000
REQUEUE_WITHIN_SECONDS = 1.0

QUEUED = "queued"
REGISTRIES: Final[dict[str, type[BaseRegistry]]] = {
    "scheduled": ScheduledJobRegistry,
    "deferred": DeferredJobRegistry,
    "started": StartedJobRegistry,
    "finished": FinishedJobRegistry,
    "failed": FailedJobRegistry,
    "canceled": CanceledJobRegistry,
}


def cure() -> None:
    """Put the classes below in the place of RQ's in rq-dashboard; again changes nothing."""
    web.config.serializer = JSONSerializer
    web.Job = DashboardJob
    web.Worker = DashboardWorker
    web.get_queue_registry_jobs_count = jobs_page
    # The queues page catches it and answers 200; we want the 503 that every other page gives.
    # `except ():` catches nothing.
    web.RedisConnectionError = ()


class DashboardJob(Job):
    """A job that is read as JSON only, and shown as far as it can be read.

    rq-dashboard fetches some jobs without a serializer, and RQ then takes pickle: it fails on our
    jobs, and on a prepared one it would run what the pickle says.
    """

    def __init__(
        self, job_id: str | None = None, connection: Redis | None = None, serializer: Any = None
    ) -> None:
        super().__init__(job_id, connection, serializer or JSONSerializer)

    @property
    def dependency_ids(self) -> list[bytes]:  # type: ignore[override]  # rq-dashboard decodes them
        return [job_id.encode() for job_id in super().dependency_ids]

    def get_call_string(self) -> str | None:
        try:
            return super().get_call_string()
        except DeserializationError:
            return self.description

    def get_meta(self, refresh: bool = True) -> dict[str, Any]:
        try:
            return super().get_meta(refresh)
        except ValueError:  # of json, of utf-8
            return {}

    def latest_result(self, timeout: int = 0) -> Result | None:
        try:
            return super().latest_result(timeout)
        except ValueError:
            return None


class DashboardWorker(Worker):
    """A worker record as the dashboard reads it."""

    @classmethod
    def all(cls, *args: Any, **kwargs: Any) -> list[BaseWorker]:
        """Every registered worker; with the serializer, else a busy one's job cannot be read."""
        kwargs.update(job_class=DashboardJob, serializer=JSONSerializer)
        return super().all(*args, **kwargs)

    def get_current_job(self) -> Job | None:
        """One of the jobs this worker is running; None too if it has just been deleted."""
        try:
            return super().get_current_job()
        except NoSuchJobError:
            return None

    def _set_connection(self, connection: Redis) -> Redis:
        # RQ raises the pool's socket timeout to 415 s here, for its blocking dequeue: a Redis that
        # stands still would then hold the threads of our pages for as long.
        return connection


def jobs_page(
    queue_name: str, registry_name: str, offset: int, per_page: int, order: str, redis: Redis
) -> tuple[int, list[dict[str, Any]]]:
    """How many jobs a queue (`queued`) or registry has, and `per_page` of them from `offset`.

    It replaces rq-dashboard's, whose pages after the first repeat jobs of their neighbours, and
    which takes an id without a hash off the queue: that is for the worker, which then moves the
    lane on. `order` is `asc` or `dsc`.
    """
    total, ids = _ids(queue_name, registry_name, slice(offset, offset + per_page), order, redis)
    jobs = DashboardJob.fetch_many(dict.fromkeys(ids), connection=redis)
    entries = [web.serialize_job(job) for job in jobs if job]
    if registry_name != "failed":
        # The page says "Failed" and offers to requeue wherever there is an exception; a job that
        # was requeued or is tried again still has that of its last run.
        entries = [entry | {"exc_info": None} for entry in entries]
    return total, entries


def requeue(job_id: str, redis: Redis) -> None:
    """Requeue one failed job by RQ's own requeue: status queued, id at the end of its queue.

    Raises rq's NoSuchJobError, and InvalidJobOperation for a job that is not among the failed.
    """
    # Else the queue's first job would seem to have waited since it first came, and bets be refused.
    redis.hdel(f"{Job.redis_job_namespace_prefix}{job_id}", "queued_ms")
    # With the serializer, as the job's hash is written anew.
    Job.fetch(job_id, connection=redis, serializer=JSONSerializer).requeue()


def requeue_failed(queue_name: str, redis: Redis) -> tuple[int, int]:
    """Requeue failed jobs of a queue, within the limits above: how many, and how many are left.

    Only those whose time has not run out: the ids of others wait in the registry for RQ's
    maintenance, their jobs are gone, and on the first of them rq-dashboard's own loop stops.
    """
    key = FailedJobRegistry(queue_name, connection=redis).key
    now, deadline = time.time(), time.monotonic() + REQUEUE_WITHIN_SECONDS
    ids = redis.zrange(key, now, "+inf", byscore=True, offset=0, num=REQUEUE_JOBS_MAX)
    requeued = 0
    for job_id in cast("list[bytes]", ids):
        if time.monotonic() > deadline:
            break
        try:
            requeue(job_id.decode(), redis)
        except (NoSuchJobError, InvalidJobOperation):  # deleted, or requeued by someone else
            continue
        requeued += 1
    return requeued, redis.zcount(key, now, "+inf")


def _ids(
    queue_name: str, registry_name: str, part: slice, order: str, redis: Redis
) -> tuple[int, list[str]]:
    queue = Queue(queue_name, connection=redis)
    # Asked for with `is`: the truth of an RQ registry is its count, and that after a cleanup.
    registry = None
    if registry_name != QUEUED:
        registry = REGISTRIES[registry_name](queue_name, connection=redis)
    total = queue.count if registry is None else registry.get_job_count(cleanup=False)

    first, end, _ = part.indices(total)
    if order == "dsc":
        first, end = total - end, total - first
    if first >= end:
        return total, []
    if registry is None:
        ids = queue.get_job_ids(first, end - first)
    else:
        ids = registry.get_job_ids(first, end - 1, cleanup=False)
    return total, ids if order == "asc" else ids[::-1]
