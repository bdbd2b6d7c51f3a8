"""A process that serves until it is asked to stop: its log, and how SIGTERM and SIGINT end it."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from logs.setup import log_as

_LOG = logging.getLogger("betcore.serve")
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
