"""Asks the processes of `betcore up` themselves whether they all work."""

from collections.abc import Iterator, Sequence

from redis.exceptions import RedisError
from rq import Queue, Worker

from broker.redis_url import connect_redis, no_retry
from ops.process.probe import silence
from ops.process.supervisor import Child
from settings import Settings

_ANSWER_WITHIN_SECONDS = 2.0


def not_ready(children: Sequence[Child], settings: Settings) -> list[str]:
    """Return the names of the children that do not work yet.

    A gateway works if it has reported that it can admit requests, and the port of all gateways
    answers so. A portal works if it is ready. A worker works if it is registered in RQ, and a
    dashboard if it answers.
    """
    return list(_not_ready(children, settings))


def _not_ready(children: Sequence[Child], settings: Settings) -> Iterator[str]:
    by_kind = {
        kind: [child for child in children if child.role.kind == kind]
        for kind in ("gateway", "worker", "portal", "dashboard")
    }
    silent = [child for child in by_kind["gateway"] if not child.reported]
    if not silent and silence(settings.gateway_host, settings.gateway_port, "/readyz"):
        silent = by_kind["gateway"]
    yield from (child.role.name for child in silent)

    registered = _registered(settings)
    yield from (child.role.name for child in by_kind["worker"] if child.run not in registered)

    if silence(settings.portal_host, settings.portal_port, "/readyz"):
        yield from (child.role.name for child in by_kind["portal"])

    if silence(settings.dashboard_host, settings.dashboard_port, "/healthz"):
        yield from (child.role.name for child in by_kind["dashboard"])


def _registered(settings: Settings) -> set[str]:
    """The names of the workers that RQ knows on our queue."""
    try:
        with connect_redis(
            settings.redis_url, socket_timeout=_ANSWER_WITHIN_SECONDS, retry=no_retry()
        ) as redis:
            keys = Worker.all_keys(queue=Queue(settings.queue_name, connection=redis))
    except RedisError:
        return set()
    return {key.removeprefix(Worker.redis_worker_namespace_prefix) for key in keys}
