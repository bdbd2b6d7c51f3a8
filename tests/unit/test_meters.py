"""Promises of the meters: exact buckets, no value lost, and figures that Prometheus can read."""

import socket
import threading
from itertools import pairwise

import pytest
from prometheus_client.parser import text_string_to_metric_families

from metrics.export import CannotServeMetrics, serving
from metrics.meters import SECONDS, Counter, Histogram, LabelledCounter, counter, histogram
from tests.service.support.http import http_get


def test_each_value_is_counted_in_the_first_bucket_that_is_not_below_it() -> None:
    one = Histogram((0.1, 1.0))
    for value in (0.0, 0.1, 0.11, 1.0, 7.0):
        one.observe(value)

    assert one.cumulative() == [("0.1", 2), ("1.0", 4), ("+Inf", 5)]
    assert one.total == pytest.approx(8.21)
    one.observe(0.05)
    assert one.cumulative() == [("0.1", 3), ("1.0", 5), ("+Inf", 6)]


def test_no_value_is_lost_while_several_threads_read() -> None:
    one, ends = Histogram(SECONDS), threading.Event()

    def read() -> None:
        while not ends.is_set():
            counts = [count for _, count in one.cumulative()]
            assert all(before <= after for before, after in pairwise(counts))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(20_000):
        one.observe(0.002)
    ends.set()
    for reader in readers:
        reader.join()

    assert one.cumulative()[-1] == ("+Inf", 20_000)
    assert dict(one.cumulative())["0.0025"] == 20_000


def test_values_that_nobody_reads_take_bounded_memory() -> None:
    one = Histogram(SECONDS)
    for _ in range(200_000):
        one.observe(1.0)

    assert one.cumulative()[-1][1] <= 50_000


def test_a_scrape_reads_what_the_meters_say_then() -> None:
    expired, seconds, labelled = Counter(), Histogram((0.5,)), LabelledCounter()
    metrics = (counter("c_total", "C.", expired), histogram("h_seconds", "H.", seconds))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving("127.0.0.1", port, lambda: metrics):
        expired.count += 2
        seconds.observe(0.25)
        labelled.counts["a",] += 1
        text = http_get(f"http://127.0.0.1:{port}/metrics").text
        families = {one.name: one for one in text_string_to_metric_families(text)}
        with (
            pytest.raises(CannotServeMetrics, match="BETCORE_METRICS_PORT"),
            serving("127.0.0.1", port, lambda: metrics),
        ):
            pass

    assert families["c"].type == "counter"
    assert [sample.value for sample in families["c"].samples] == [2]
    assert {sample.name: sample.value for sample in families["h_seconds"].samples} == {
        "h_seconds_bucket": 1,
        "h_seconds_count": 1,
        "h_seconds_sum": 0.25,
    }


def test_port_0_serves_nothing() -> None:
    with serving("127.0.0.1", 0, tuple) as port:
        assert port == 0
