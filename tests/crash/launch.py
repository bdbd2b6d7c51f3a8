"""Runs a command of the product, such as `gateway` or `worker`, that kills itself where told.

    python -m tests.crash.launch worker --name worker-1

The product has no hook for this: its methods are wrapped here, in this process alone.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from broker.admission import Admission
from broker.batches import Batches
from broker.link import Link
from broker.wire import Wire
from models.database.pipeline import Pipeline
from models.database.query import BEGIN, COMMIT
from ops.cli import main
from server.exchange import Exchange
from tests.crash.points import ARMED_FILE, WITHOUT, armed, reached_file
from tests.crash.unguarded import take_away

_ADMITTED = b"A"
_file = Path(os.environ.get(ARMED_FILE, "/nonexistent"))


def start() -> None:
    """Run the command of `sys.argv` with every step wrapped, and without the guard of WITHOUT."""
    take_away(os.environ.get(WITHOUT, ""))
    install()
    main()


def install() -> None:
    """Wrap every step."""
    _wrap_admit()
    _wrap_reply()
    _wrap_load_write_and_commit()
    # A batch is taken, or handed over. A worker that dies before that leaves an offer in Redis.
    _wrap_around("take", "take", reaches_before=False)
    _wrap_around("wait", "take")
    # A worker that dies after the finish has the next batch in hand, which nobody has told it.
    _wrap_around("finish", "finish", empty_counts=True)


def _is_armed(point: str) -> bool:
    return armed(_file)[0] == point


def _reach(point: str) -> None:
    """Kill or stop this process if this point is armed. The armed file then records it."""
    found, number = armed(_file)
    if found == point:
        _file.rename(reached_file(_file))
        os.kill(os.getpid(), number)


def _wrap_admit() -> None:
    send, answered = Link._send, Link._answered

    def sending(self: Link, wire: Wire, batch: list[Admission]) -> None:
        if any(admission.command for admission in batch):
            _reach("before admit")
        send(self, wire, batch)

    def answering(self: Link, wire: Wire, batch: list[Admission], answer: Any) -> None:
        if not answer.cancelled() and answer.exception() is None:
            letters, _ = answer.result()
            both = zip(batch, letters, strict=True)
            if any(admission.command and letter == _ADMITTED for admission, letter in both):
                _reach("after admit")
        answered(self, wire, batch, answer)

    _replace(Link, "_send", sending)
    _replace(Link, "_answered", answering)


def _wrap_reply() -> None:
    send = Exchange.send

    async def sending(self: Exchange, message: Any) -> None:
        is_bet = self._scope["method"] == "POST"
        if is_bet and message["type"] == "http.response.start":
            _reach("before reply")
        await send(self, message)
        if is_bet and message["type"] == "http.response.body":
            _reach("after reply")

    _replace(Exchange, "send", sending)


def _wrap_load_write_and_commit() -> None:
    run = Pipeline.run

    def running(self: Pipeline, *calls: Any) -> Any:
        if calls[0][0] is BEGIN:
            _reach("before load")
        if calls[-1][0] is COMMIT:
            _reach("before write")
            if _is_armed("after write"):
                rows = run(self, *calls[:-1])
                _reach("after write")
                return rows + run(self, *calls[-1:])
            if _is_armed("before commit"):
                run(self, *calls[:-1])
                _send(self, calls[-1:])
                _reach("before commit")
        rows = run(self, *calls)
        if calls[0][0] is BEGIN:
            _reach("after load")
        if calls[-1][0] is COMMIT:
            _reach("after commit")
        return rows

    _replace(Pipeline, "run", running)


def _send(pipeline: Pipeline, calls: Sequence[Any]) -> None:
    """Send statements without waiting for their answer."""
    connection = pipeline._pgconn
    for query, parameters in calls:
        connection.send_query_prepared(query.name, list(parameters))
    connection.pipeline_sync()
    while connection.flush():
        pass


def _wrap_around(
    method: str, step: str, *, reaches_before: bool = True, empty_counts: bool = False
) -> None:
    """Wrap a method of Batches. It took the step if its batch has jobs, or if `empty_counts`."""
    original = cast("Callable[..., Any]", getattr(Batches, method))

    def stepping(self: Batches, *args: Any, **kwargs: Any) -> Any:
        if reaches_before:
            _reach(f"before {step}")
        batch = original(self, *args, **kwargs)
        if batch is not None and (batch.jobs or empty_counts):
            _reach(f"after {step}")
        return batch

    _replace(Batches, method, stepping)


def _replace(owner: type, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)


if __name__ == "__main__":
    start()
