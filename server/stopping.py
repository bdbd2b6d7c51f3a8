"""How SIGTERM and SIGINT reach what serves."""

import signal
from collections.abc import Callable
from types import FrameType

#: The signals by which a process is asked to stop.
ASKING = (signal.SIGTERM, signal.SIGINT)


def take_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    """Hand SIGTERM and SIGINT to `handler`.

    What serves has handlers of its own, but puts them up late: an exception raised before, from
    within its start, would leave that half done.
    """
    for number in ASKING:
        signal.signal(number, handler)
