"""Traces the answers to bets whose callers trace them (docs/adr/0034)."""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope

from api.wallet.errors import ApiError
from metrics.traces import TRACES, context_in
from models.codes import Code

#: Returns the body of the answer to a request, with code 1. Raises ApiError.
Answer = Callable[[Scope, Receive], Awaitable[bytes]]


def traced(call: str, answer: Answer) -> Answer:
    """The answer with a span of its own, or just the answer if this process records no traces.

    A request that is not authenticated leaves no span. So nobody outside can fill the collector.
    """
    spans = TRACES.spans
    if spans is None:
        return answer

    async def with_span(scope: Scope, receive: Receive) -> bytes:
        parent = context_in(scope["headers"])
        if parent is None:
            return await answer(scope, receive)
        with spans.answering(call, parent) as span:
            try:
                body = await answer(scope, receive)
            except ApiError as error:
                if error.code is not Code.UNAUTHORIZED:
                    span.done(error.code, str(error.reason or ""))
                raise
            span.done(Code.DONE)
            return body

    return with_span
