"""Serves metrics to Prometheus on a private port, from a thread of its own (docs/adr/0029)."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from metrics.measured import HISTOGRAMS
from metrics.meters import Histogram, Metric

_FOLD_EVERY_SECONDS = 1.0
_LOG = logging.getLogger("betcore.metrics")


class CannotServeMetrics(Exception):  # noqa: N818  # the name reads as the fact it states
    """The port for metrics cannot be used. The text says why, and what to do."""


def _fold(histograms: Iterable[Histogram], ends: Event) -> None:
    """Empty the queues of histograms every second, also if nobody scrapes."""
    while not ends.wait(_FOLD_EVERY_SECONDS):
        for one in histograms:
            one.fold()


@contextmanager
def serving(host: str, port: int, metrics: Callable[[], Iterable[Metric]]) -> Iterator[int]:
    """Serve these metrics, and those of the process itself, while the body runs.

    Yields the port. `port` 0: nothing is served. Raises CannotServeMetrics.
    """
    if not port:
        yield 0
        return
    # Imported here: a process that serves no metrics starts without the library.
    from metrics.families import registry_of, start_http_server

    registry = registry_of(metrics)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise CannotServeMetrics(
            f"Cannot serve metrics at port {port} of {host}: {error.strerror}. Give each process a "
            "BETCORE_METRICS_PORT of its own, or 0 for no metrics."
        ) from error
    _LOG.info("metrics at http://%s:%d/metrics", f"[{host}]" if ":" in host else host, port)
    ends = Event()
    folder = Thread(target=_fold, args=(HISTOGRAMS, ends), daemon=True)
    folder.start()
    try:
        yield port
    finally:
        ends.set()
        folder.join()
        server.shutdown()
        server.server_close()
        thread.join()
