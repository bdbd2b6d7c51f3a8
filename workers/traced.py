"""Traces a batch, if bets in it are traced (docs/adr/0034)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from broker.codec import BadJob, trace_of
from broker.ended import FinishedCommand
from broker.taken import Batch
from metrics.traces import TRACES, read_context

if TYPE_CHECKING:
    from metrics.spans import BatchSpans


def spans_of(batch: Batch) -> "BatchSpans | None":
    """Begin the spans of a batch. None if this process records no traces, or none of these bets."""
    spans = TRACES.spans
    if spans is None:
        return None
    bets = {}
    for command in batch.commands:
        context = None if isinstance(command.work, BadJob) else read_context(trace_of(command.form))
        if context is not None:
            bets[command.id] = context, int(command.times.partition("+")[0]) / 1000
    return spans.taken(bets, len(batch.commands))


def codes_of(ends: Iterable[FinishedCommand]) -> dict[str, int]:
    """The codes of the commands that have an outcome, by id."""
    codes = {end.id: end.result.get("code") for end in ends if end.result is not None}
    return {id_: code for id_, code in codes.items() if isinstance(code, int)}
