"""Which metrics a gateway and a worker export, by the names, types and labels of docs/METRICS.md.

The portal's are in `portal_metrics.py`: a gateway must not import what only the portal needs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from api.wallet import answer_counts
from metrics import measured as of
from metrics.export import serving
from metrics.meters import Metric, by_label, counter, gauge, histogram, labelled
from models.database.prepared_connection import connection_states
from server.open_connections import connections_open
from settings import Settings

_STEPS = "betcore_step_seconds", "How long one step took.", "step"
CONNECTIONS = "betcore_postgres_connections", "Connections to PostgreSQL.", ("pool", "state")
HTTP = gauge("betcore_open_connections", "Open HTTP connections.", connections_open)
_OF_GATEWAY = (
    labelled(
        "betcore_requests_total",
        "Answers of this gateway.",
        ("call", "code", "reason", "provider"),
        answer_counts.requests,
    ),
    by_label(
        *_STEPS,
        accept=of.ACCEPT,
        authenticate=of.AUTHENTICATE,
        admit=of.ADMIT,
        reply=of.REPLY,
    ),
    histogram("betcore_group_commands", "Commands in one job.", of.GROUP),
    labelled(
        "betcore_replays_total",
        "Requests whose id was used before.",
        ("provider",),
        answer_counts.replays,
    ),
    labelled(
        "betcore_bad_signatures_total",
        "Requests that their provider did not sign correctly.",
        ("provider",),
        answer_counts.bad_signatures,
    ),
    labelled(
        "betcore_wins_refused_total",
        "Wins above a limit of the provider.",
        ("provider", "reason"),
        answer_counts.wins_refused,
    ),
    counter("betcore_shed_total", "Requests refused early because of load.", of.SHED),
    HTTP,
    Metric("gauge", *CONNECTIONS, connection_states),
)
_OF_WORKER = (
    by_label(
        *_STEPS,
        queue=of.QUEUE,
        load=of.LOAD,
        decide=of.DECIDE,
        commit=of.COMMITTED,
        finish=of.FINISH,
    ),
    histogram("betcore_batch_commands", "Commands in one transaction.", of.BATCH),
    counter("betcore_expired_total", "Commands that were too late to apply.", of.EXPIRED),
    counter("betcore_leases_lost_total", "Batches that another worker took over.", of.LEASES_LOST),
    counter("betcore_swept_total", "Jobs and players that stood still.", of.SWEPT),
    Metric("gauge", *CONNECTIONS, connection_states),
)


@contextmanager
def gateway_metrics(settings: Settings, redis_ready: Callable[[], bool]) -> Iterator[None]:
    """Serve a gateway's metrics while the body runs. Raises CannotServeMetrics."""
    found = (*_OF_GATEWAY, redis_connected(redis_ready))
    with serving(settings.metrics_host, settings.metrics_port, lambda: found):
        yield


@contextmanager
def worker_metrics(settings: Settings, redis_ready: Callable[[], bool]) -> Iterator[None]:
    """Serve a worker's metrics while the body runs. Raises CannotServeMetrics."""
    found = (*_OF_WORKER, redis_connected(redis_ready))
    with serving(settings.metrics_host, settings.metrics_port, lambda: found):
        yield


def redis_connected(ready: Callable[[], bool]) -> Metric:
    """Whether this process can use Redis."""
    return gauge(
        "betcore_redis_connected", "1 if this process can use Redis.", lambda: float(ready())
    )
