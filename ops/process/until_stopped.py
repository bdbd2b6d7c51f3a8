"""A process that serves until it is asked to stop: its log, and its end by SIGTERM or SIGINT."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from logs.setup import FORMS, LEVELS, log_as
from server.stopping import ASKING, take_signals

_LOG = logging.getLogger("betcore.serve")


def log_as_set(who: str) -> None:
    """Log as `who`, in the form and from the level that the settings name.

    A wrong value counts as the default here. Whoever reads the settings reports it.
    """
    from settings import texts  # pydantic takes long to import, and `--help` needs none of it

    told = texts()
    form = told.log_format if told.log_format in FORMS else "auto"
    level = told.log_level if told.log_level in LEVELS else "info"
    log_as(who, form, level)


@contextmanager
def until_stopped(who: str) -> Iterator[None]:
    """Log as `who`, and exit with 0 on SIGTERM or SIGINT.

    During the start the exit is immediate. After a call of `take_signals` the server decides.
    """
    log_as_set(who)
    take_signals(lambda *_: sys.exit(0))
    try:
        yield
    except SystemExit as end:
        if end.code:
            raise
    # The interpreter drops its handlers before it ends: a later signal would set the exit code.
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)
    _LOG.info("stopped")
