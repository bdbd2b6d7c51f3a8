"""Serves metrics to Prometheus on a private port, from a thread of its own (docs/adr/0029)."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from metrics.measured import HISTOGRAMS
from metrics.meters import Histogram, Metric

_FOLD_EVERY_SECONDS = 1.0
_LOG = logging.getLogger("betcore.metrics")


class CannotServeMetrics(Exception):  # noqa: N818  # the name reads as the fact it states
    """The port for metrics cannot be used. The text says why, and what to do."""


class Metrics(Collector):
    """Reads metrics at each scrape."""

    def __init__(self, metrics: Callable[[], Iterable[Metric]]) -> None:
        """`metrics` is called at each scrape, in the thread that answers it."""
        self._metrics = metrics

    def describe(self) -> Iterable[Family]:
        """Called by prometheus_client, which would otherwise ask for the values already now."""
        return ()

    def collect(self) -> Iterator[Family]:
        """Called by prometheus_client at a scrape."""
        return map(_family, self._metrics())


def _family(metric: Metric) -> Family:
    if metric.kind == "counter":
        counters = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for labels, value in metric.values().items():
            assert not isinstance(value, Histogram)  # noqa: S101 - see `metrics.meters`
            counters.add_metric(labels, value)
        return counters
    if metric.kind == "gauge":
        gauges = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for labels, value in metric.values().items():
            assert not isinstance(value, Histogram)  # noqa: S101 - see `metrics.meters`
            gauges.add_metric(labels, value)
        return gauges
    histograms = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in metric.values().items():
        assert isinstance(value, Histogram)  # noqa: S101 - see `metrics.meters`
        histograms.add_metric(labels, value.cumulative(), value.total)
    return histograms


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
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Metrics(metrics))
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
