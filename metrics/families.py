"""Our metrics in the form of prometheus_client. Only `export.py` imports this, when it serves."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from metrics.meters import Histogram, Metric

__all__ = ["registry_of", "start_http_server"]


def registry_of(metrics: Callable[[], Iterable[Metric]]) -> CollectorRegistry:
    """What a scrape collects: these metrics, and those of the process itself."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Metrics(metrics))
    return registry


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
