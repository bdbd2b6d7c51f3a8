"""Promises of the traces: the W3C form, a payload that old workers read, and nothing if off."""

import json
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from broker.codec import add_trace, decode_command, encode_command, trace_of
from metrics.spans import Spans
from metrics.traces import TRACES, CannotTrace, TraceContext, context_in, read_context, tracing
from models.commands import COMMANDS, BetCommand
from settings import BadSettings, settings
from tests.unit.gateway_parts import PLACE

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (PARENT, True),
        (f"00-{TRACE}-{SPAN}-03", True),  # another flag, which we ignore
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", True),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),  # its caller does not record it
        (f"00-{TRACE}-{SPAN}-01-more", False),
        (f"cc-{TRACE}-{SPAN}-01.more", False),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        (f"00-{TRACE[:-1]}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}-1", False),
        (f"{PARENT}\n", False),
        *[(text, False) for text in ("", "00", "x" * 55, "-" * 55)],
    ],
)
def test_a_traceparent_counts_only_in_the_form_of_the_w3c(text: str, valid: bool) -> None:
    assert (read_context(text) is not None) == valid


def test_a_header_that_is_there_twice_names_nothing() -> None:
    header = (b"traceparent", PARENT.encode())

    assert context_in([(b"x-sign", b"0"), header]) == TraceContext(int(TRACE, 16), int(SPAN, 16))
    assert context_in([header, header]) is None
    assert context_in([(b"traceparent", b"\xff")]) is None
    assert context_in([]) is None


@pytest.mark.parametrize("function", ["bets.pay_in", "bets.pay_out", "bets.pay_in_out"])
def test_a_traced_bet_is_the_same_bet_to_a_worker_that_knows_no_traces(function: str) -> None:
    body = {"betId": '{"a":"{', "betAmount": "1.50", "winAmount": "2"}
    kind = COMMANDS[function]
    assert issubclass(kind, BetCommand)
    command = kind.read(body, PLACE)
    payload = encode_command(command, "ab12", "betcore:replies:1")
    traced = add_trace(payload, PARENT)

    form = json.loads(traced)
    assert trace_of(form) == PARENT
    assert trace_of(json.loads(payload)) is None
    assert decode_command(form) == decode_command(json.loads(payload))
    del form[1]["trace"]
    assert form == json.loads(payload)  # nothing else is different
    planted: list[object] = [None, [], [1, 2], "form", {}]
    assert [trace_of(one) for one in planted] == [None] * 5


def test_spans_lead_from_the_caller_to_the_commit_and_a_batch_to_all_its_bets() -> None:
    exporter = InMemorySpanExporter()
    spans = Spans("worker", exporter)
    bets = {f"{n}-a": (TraceContext(n, n), 100.0) for n in (1, 2)}

    batch = spans.taken(bets, 7)
    assert batch is not None
    spans.applied(1.0, 2.0, 3.0, 4.0)
    batch.finished(5.0, {"1-a": 4})
    assert spans.taken({}, 7) is None
    spans.applied(1.0, 2.0, 3.0, 4.0)  # of a batch that nobody traces
    spans.end()

    found = exporter.get_finished_spans()
    named = {one.name: [span for span in found if span.name == one.name] for one in found}
    (whole,) = named["batch"]
    assert whole.parent is None
    assert [link.context.trace_id for link in whole.links] == [1, 2]
    assert whole.attributes == {"betcore.commands": 7}
    for name in ("load", "decide", "finish"):
        (step,) = named[name]
        assert step.parent is not None
        assert step.parent.span_id == whole.context.span_id
    of_batch, *of_bets = sorted(
        named["commit"], key=lambda span: (span.context.trace_id in (1, 2), span.context.trace_id)
    )
    assert of_batch.context.trace_id == whole.context.trace_id
    for worker, queue, commit in zip(named["worker"], named["queue"], of_bets, strict=True):
        trace = worker.context.trace_id
        assert {trace} == {queue.context.trace_id, commit.context.trace_id}
        for one in (worker, queue):
            assert one.parent is not None
            assert one.parent.span_id == trace  # the span of the gateway
        assert commit.parent is not None
        assert commit.parent.span_id == worker.context.span_id
        assert [link.context for link in worker.links] == [whole.context]
        assert queue.end_time == worker.start_time
    assert [span.attributes for span in named["worker"]] == [{"betcore.code": 4}, {}]


def test_a_gateway_and_a_worker_that_trace_nothing_import_nothing_of_it() -> None:
    code = (
        "import sys, api.wallet.app, workers.worker, ops.process.gateway;"
        # redis-py itself looks whether there are metrics of OpenTelemetry.
        "assert not {'metrics.spans', 'opentelemetry.sdk.trace'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert TRACES.spans is None


def test_traces_without_the_packages_are_one_line_with_the_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "metrics.spans", None)

    with (
        pytest.raises(CannotTrace, match=r"pip install 'betcore\[otel\]'"),
        tracing("x", "http://127.0.0.1"),
    ):
        pass


@pytest.mark.parametrize("url", ["collector:4318", "collector", "ftp://collector", "http://"])
def test_an_address_of_no_collector_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("BETCORE_TRACES_URL", url)
    settings.cache_clear()
    try:
        with pytest.raises(BadSettings, match="BETCORE_TRACES_URL"):
            settings()
    finally:
        settings.cache_clear()
