"""Whether this process records traces, and how a caller names the trace of a request (ADR 34).

Nothing of OpenTelemetry is imported unless `BETCORE_TRACES_URL` is set.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from metrics.spans import Spans

# https://www.w3.org/TR/trace-context/#traceparent-header
_FORM: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1


class CannotTrace(Exception):  # noqa: N818  # the name reads as the fact it states
    """Traces are switched on, and cannot be recorded. The text says why, and what to do."""


class TraceContext(NamedTuple):
    """A place in a trace whose caller wants it recorded: the parent of what happens next."""

    trace_id: int
    span_id: int

    @property
    def text(self) -> str:
        """As a `traceparent`."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"


class Traces:
    """The switch. `spans` is None while nothing is recorded: that is all that a bet asks then."""

    __slots__ = ("spans",)

    def __init__(self) -> None:
        self.spans: Spans | None = None


#: One per process.
TRACES: Final = Traces()


def read_context(text: object) -> TraceContext | None:
    """The context that a `traceparent` names. None if it is not valid, or is not to be recorded."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return TraceContext(int(trace, 16), int(span, 16)) if int(flags, 16) & _SAMPLED else None


def context_in(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """The context that the headers of a request name. None if there is no such, or several."""
    named = [value for name, value in headers if name == b"traceparent"]
    return read_context(named[0].strip().decode("latin-1")) if len(named) == 1 else None


@contextmanager
def tracing(process: str, url: str) -> Iterator[None]:
    """Record spans of this process while the body runs, and send them to a collector.

    `url` "": record nothing. Raises CannotTrace.
    """
    if not url:
        yield
        return
    try:
        from metrics.spans import Spans, to_collector
    except ImportError as error:
        raise CannotTrace(
            f"BETCORE_TRACES_URL is set, but {error.name} is not installed:"
            " run `pip install 'betcore[otel]'`, or leave the setting empty."
        ) from error
    TRACES.spans = spans = Spans(process, to_collector(url))
    try:
        yield
    finally:
        TRACES.spans = None
        spans.end()
