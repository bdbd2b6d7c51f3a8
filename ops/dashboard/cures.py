"""Fixes how rq-dashboard uses RQ: JSON only, bounded reads, and pages that add up.

rq-dashboard 0.9.0 (pinned) names RQ's classes in its module `rq_dashboard.web`. The fixes replace
them.
"""

import zlib
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, Final

import rq.job
import rq.results
from redis import Redis
from rq import Worker
from rq.exceptions import DeserializationError, NoSuchJobError
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

from broker.codec import expand
from broker.keys import RQ

# A longer value comes neither from us nor from a stock worker on our jobs. It is not read.
KEY_BYTES_MAX: Final = 256 * 1024
TEXT_BYTES_MAX: Final = 64 * 1024
WORKERS_MAX: Final = 500

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
    """Replace RQ's classes in rq-dashboard by the classes below. A repeat changes nothing."""
    web.config.serializer = JSONSerializer
    web.Job = DashboardJob
    web.Worker = DashboardWorker
    web.get_queue_registry_jobs_count = jobs_page
    # The queues page catches this error and answers 200. We want 503, as from every other page.
    # `except ():` catches nothing.
    web.RedisConnectionError = ()
    # RQ decompresses a job's data without a limit.
    bounded = SimpleNamespace(decompress=_expand, compress=zlib.compress, error=zlib.error)
    rq.job.zlib = rq.results.zlib = bounded  # type: ignore[attr-defined,assignment]


class DashboardJob(Job):
    """A job that is read only as JSON, and shown as far as it can be read.

    rq-dashboard fetches some jobs without a serializer. RQ then assumes pickle: it fails on our
    jobs, and would run the code in a prepared pickle.
    """

    def __init__(
        self, job_id: str | None = None, connection: Redis | None = None, serializer: Any = None
    ) -> None:
        super().__init__(job_id, connection, serializer or JSONSerializer)

    def refresh(self) -> None:
        """Read the job. Raises NoSuchJobError, also for one that is longer than any of ours."""
        if not is_short(self.connection, self.key):
            raise NoSuchJobError(f"No such job: {self.key}")
        super().refresh()  # type: ignore[no-untyped-call]  # RQ's

    @classmethod
    def fetch_many(
        cls, job_ids: Iterable[str], connection: Redis, serializer: Any = None
    ) -> list[Job | None]:
        """Return the jobs of these ids that can be read."""
        ids = list(job_ids)
        with connection.pipeline(transaction=False) as sizes:
            for id_ in ids:
                sizes.memory_usage(cls.key_for(id_), samples=0)
            short = [id_ for id_, size in zip(ids, sizes.execute(), strict=True) if _fits(size)]
        found: list[Job | None] = []
        for id_, values in zip(short, _hashes(connection, map(cls.key_for, short)), strict=True):
            job = cls(id_, connection, serializer)
            try:
                job.restore(values)
            except NoSuchJobError:
                continue
            found.append(job)
        return found

    def restore(self, raw_data: Any) -> Any:
        """Take the values of the job's hash. Raises NoSuchJobError if they are not RQ's."""
        try:
            return super().restore(raw_data)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise NoSuchJobError(f"Unexpected job format: {self.key}") from error

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
        except (ValueError, RecursionError):  # of json, of utf-8
            return {}

    def latest_result(self, timeout: int = 0) -> Result | None:
        if not is_short(self.connection, f"{RQ}:results:{self.id}"):
            return None
        try:
            return super().latest_result(timeout)
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError, zlib.error):
            return None


class DashboardWorker(Worker):
    """A worker record as the dashboard reads it."""

    @classmethod
    def all(cls, *args: Any, **kwargs: Any) -> list[BaseWorker]:
        """Return every registered worker.

        The job of a busy worker cannot be read without the serializer.
        """
        kwargs.update(job_class=DashboardJob, serializer=JSONSerializer)
        return super().all(*args, **kwargs)[:WORKERS_MAX]

    @classmethod
    def find_by_key(  # type: ignore[override]  # RQ names the arguments that we pass on
        cls, worker_key: str, connection: Redis, **kwargs: Any
    ) -> BaseWorker | None:
        """Return the worker of a key, or None if no worker has written that key."""
        if not is_short(connection, worker_key):
            return None
        try:
            return super().find_by_key(worker_key, connection, **kwargs)
        except (ValueError, TypeError, OverflowError):
            return None

    def get_current_job(self) -> Job | None:
        """Return one of the jobs that this worker runs. None if it was just deleted."""
        try:
            return super().get_current_job()
        except NoSuchJobError:
            return None

    def _set_connection(self, connection: Redis) -> Redis:
        # RQ raises the pool's socket timeout to 415 s here, for its blocking dequeue. If Redis
        # hung, the threads of our pages would hang for as long.
        return connection


def jobs_page(
    queue_name: str, registry_name: str, offset: int, per_page: int, order: str, redis: Redis
) -> tuple[int, list[dict[str, Any]]]:
    """Return the number of jobs of a queue (`queued`) or registry, and up to `per_page` of them.

    The page begins at `offset`. This replaces rq-dashboard's function, whose pages after the first
    repeat jobs of their neighbours. That function also takes an id without a hash off the queue.
    Only the worker should do that, because it then frees the players. `order` is `asc` or `dsc`.
    """
    total, ids = _ids(queue_name, registry_name, slice(offset, offset + per_page), order, redis)
    jobs = DashboardJob.fetch_many(dict.fromkeys(ids), connection=redis)
    entries = [web.serialize_job(job) for job in jobs if job]
    if registry_name != "failed":
        # Where there is an exception, the page says "Failed" and offers to requeue. A job that was
        # requeued or is tried again still has the exception of its last run.
        entries = [entry | {"exc_info": None} for entry in entries]
    return total, entries


def _ids(
    queue_name: str, registry_name: str, part: slice, order: str, redis: Redis
) -> tuple[int, list[str]]:
    queue = Queue(queue_name, connection=redis)
    # Compared with `is`: the truth value of an RQ registry is its count, after a cleanup.
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


def is_short(redis: Redis, key: str) -> bool:
    """Return whether a key is no longer than any of ours, so that all of it may be read."""
    return _fits(redis.memory_usage(key, samples=0))  # 0: of every field, not of a sample


def _fits(size: Any) -> bool:
    return size is None or size <= KEY_BYTES_MAX


def _hashes(redis: Redis, keys: Iterable[str]) -> list[Any]:
    with redis.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hgetall(key)
        return pipeline.execute()


def _expand(data: bytes) -> bytes:
    """Decompress like `zlib.decompress`, up to a limit.

    Raises zlib.error, on which RQ takes the data as it is.
    """
    try:
        return expand(data, TEXT_BYTES_MAX)
    except ValueError:
        return b"(It is too long to be shown.)"
