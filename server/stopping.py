"""How SIGTERM and SIGINT reach a process that serves."""

import signal
from collections.abc import Callable
from types import FrameType

#: The signals that ask a process to stop.
ASKING = (signal.SIGTERM, signal.SIGINT)


def take_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    """Hand SIGTERM and SIGINT to `handler`.

    A server installs its own handlers, but late. An exception raised before that, during its start,
    would leave the start half done.
    """
    for number in ASKING:
        signal.signal(number, handler)
