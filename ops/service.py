"""A process that serves until it is asked to stop: its log, and how SIGTERM and SIGINT end it."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from logs.setup import log_as
from server.stopping import ASKING, take_signals

_LOG = logging.getLogger("betcore.serve")


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
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)
    _LOG.info("stopped")
