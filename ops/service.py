"""A process that serves until it is asked to stop: its log, and how SIGTERM and SIGINT end it."""

import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

from ops.logs import log_as

if TYPE_CHECKING:
    import uvicorn

_LOG = logging.getLogger("betcore.serve")
# A full collection looks at everything that lives, and stops a gateway that knows 100,000 sessions
# for 60 ms; hardly anything that one request leaves needs it. Even a small one looks at all
# requests in hand, which in an overload takes 50 ms: hence seldom.
_COLLECT_AFTER = (50_000, 20, 1_000)  # objects; then collections of the younger generation
#: Each of them is woken for every new connection, and takes it from another gateway on this port.
ACCEPTED_PER_TURN: Final = 8
_ASKING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def service(who: str) -> Iterator[None]:
    """Log as `who`, and exit 0 on SIGTERM and SIGINT.

    At once while it starts; once `take_signals` was called, in the way of what serves.
    """
    log_as(who)
    take_signals(lambda *_: sys.exit(0))
    try:
        yield
    except SystemExit as end:
        if end.code:
            raise
    # The interpreter gives handlers up before it ends: one signal more would be its exit code.
    for number in _ASKING:
        signal.signal(number, signal.SIG_IGN)
    _LOG.info("stopped")


def take_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    """Hand SIGTERM and SIGINT to `handler`.

    What serves has handlers of its own, but puts them up late: an exception raised before, from
    within its start, would leave that half done.
    """
    for number in _ASKING:
        signal.signal(number, handler)


def serve_http(server: "uvicorn.Server", listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; then answer what has arrived, and return."""
    take_signals(server.handle_exit)
    gc.set_threshold(*_COLLECT_AFTER)
    server.run(sockets=acceptors(listener))


def acceptors(listener: socket.socket) -> list[socket.socket]:
    """A listening socket so many times over as connections are accepted in a turn of the loop.

    uvloop accepts one a turn of each that it was given. When turns are long and clients open
    connections because answers take longer, new ones would wait for seconds, or be dropped.
    """
    return [listener, *(listener.dup() for _ in range(ACCEPTED_PER_TURN - 1))]
