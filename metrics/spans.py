"""Spans of OpenTelemetry: what a bet's trace has, and the trace of each batch (docs/adr/0034).

The trace of a bet, below the span of its caller:

└── pay_in_out: in the gateway, until the answer.
    ├── queue: from the admission to the take, by the clock of Redis.
    └── worker: from the take until the result is with Redis. It is linked to its batch.
        └── commit: the transaction of its batch. It is linked to the batch, too.

The trace of a batch, linked to all bets in it that are traced:

└── batch: from the take until the results are with Redis.
    └── load, decide, commit, finish: its steps.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

from metrics.traces import TraceContext

_LINKS_MAX: Final = 1000  # a batch has fewer commands
_WITHIN_SECONDS: Final = 5  # one request to the collector, also at the end of a process
_CURRENT: ContextVar[Span] = ContextVar("span of the request", default=INVALID_SPAN)
#: What to add to `time.perf_counter()` for Unix time.
_EPOCH: Final = time.time() - time.perf_counter()

Facts = Mapping[str, str | int]


def to_collector(url: str) -> SpanExporter:
    """Sends spans by OTLP over HTTP. If it fails, spans are lost, and the log has one line."""
    for name in ("opentelemetry.exporter.otlp.proto.http", "opentelemetry.sdk"):
        logging.getLogger(name).addFilter(_without_traceback)
    return OTLPSpanExporter(endpoint=url, timeout=_WITHIN_SECONDS)


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True


class Spans:
    """Records spans. The way of a bet only makes them; a thread sends them."""

    def __init__(self, process: str, exporter: SpanExporter) -> None:
        """`process`: gateway or worker."""
        resource = Resource.create({"service.name": f"betcore-{process}"})
        limits = SpanLimits(max_links=_LINKS_MAX)
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, span_limits=limits, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("betcore")
        self._batch: BatchSpans | None = None

    def answering(self, call: str, parent: TraceContext) -> "AnswerSpan":
        """Begin the span of a request. It is recorded only if it is `done`."""
        return AnswerSpan(self.span(call, parent, kind=SpanKind.SERVER))

    def current(self) -> str:
        """The `traceparent` of the request that is being answered, or "" if it is not traced."""
        context = _CURRENT.get().get_span_context()
        return TraceContext(context.trace_id, context.span_id).text if context.is_valid else ""

    def taken(
        self, bets: Mapping[str, tuple[TraceContext, float]], commands: int
    ) -> "BatchSpans | None":
        """Begin the spans of a batch if bets in it are traced, else None.

        `bets`: for each id of a traced command, its context, and when it was admitted (Unix time).
        """
        self._batch = BatchSpans(self, bets, commands) if bets else None
        return self._batch

    def applied(self, began: float, loaded: float, decided: float, committed: float) -> None:
        """The ledger has committed commands of the present batch. Times of `perf_counter`."""
        if self._batch is not None:
            self._batch.applied(began, loaded, decided, committed)

    def span(
        self,
        name: str,
        parent: TraceContext | Span | None = None,
        *,
        start: float | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[SpanContext] = (),
        facts: Facts | None = None,
    ) -> Span:
        """A span that begins now, or at `start` (Unix time)."""
        if isinstance(parent, TraceContext):
            parent = NonRecordingSpan(_remote(parent))
        return self._tracer.start_span(
            name,
            None if parent is None else set_span_in_context(parent),
            kind,
            facts,
            [Link(context) for context in links],
            None if start is None else int(start * 1e9),
        )

    def end(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class AnswerSpan:
    """The span of a request: the current one while the body of `with` runs."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> "AnswerSpan":
        self._token = _CURRENT.set(self._span)
        return self

    def __exit__(self, *error: object) -> None:
        _CURRENT.reset(self._token)

    def done(self, code: int, reason: str = "") -> None:
        """The request is answered."""
        self._span.set_attribute("betcore.code", code)
        if reason:
            self._span.set_attribute("betcore.reason", reason)
        self._span.end()


class BatchSpans:
    """The spans of one batch in a worker, and of its bets that are traced."""

    def __init__(
        self, spans: Spans, bets: Mapping[str, tuple[TraceContext, float]], commands: int
    ) -> None:
        self._spans = spans
        self._bets = bets
        self._taken = time.time()
        self._commits: list[tuple[float, float]] = []
        self._batch = spans.span(
            "batch",
            start=self._taken,
            kind=SpanKind.CONSUMER,
            links=[_remote(context) for context, _ in bets.values()],
            facts={"betcore.commands": commands},
        )

    def applied(self, began: float, loaded: float, decided: float, committed: float) -> None:
        """See `Spans.applied`. A batch that fails as a whole is applied in parts."""
        self._step("load", began + _EPOCH, loaded + _EPOCH)
        self._step("decide", loaded + _EPOCH, decided + _EPOCH)
        self._step("commit", decided + _EPOCH, committed + _EPOCH)
        self._commits.append((decided + _EPOCH, committed + _EPOCH))

    def finished(self, began: float, codes: Mapping[str, int]) -> None:
        """The results are with Redis since now. `codes`: those of commands that have an outcome.

        `began`: when they were on their way to Redis, by `perf_counter`.
        """
        now, links = time.time(), [self._batch.get_span_context()]
        self._step("finish", began + _EPOCH, now)
        self._batch.end(int(now * 1e9))
        for id_, (parent, admitted) in self._bets.items():
            queue = self._spans.span("queue", parent, start=min(admitted, self._taken))
            queue.end(int(self._taken * 1e9))
            facts: Facts = {"betcore.code": codes[id_]} if id_ in codes else {}
            worker = self._spans.span("worker", parent, start=self._taken, links=links, facts=facts)
            if len(self._commits) == 1:  # otherwise nobody knows which one was that of this bet
                (start, end) = self._commits[0]
                commit = self._spans.span("commit", worker, start=start, links=links)
                commit.end(int(end * 1e9))
            worker.end(int(now * 1e9))

    def _step(self, name: str, start: float, end: float) -> None:
        self._spans.span(name, self._batch, start=start).end(int(end * 1e9))


def _remote(context: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=flags)
