"""Ends a child process with its parent, however the parent ends, even by kill -9."""

import ctypes
import os
import signal
import sys
import threading
import time

from embedded.keeper import PR_SET_PDEATHSIG

_LOOK_EVERY_SECONDS = 0.5


def end_with(parent: int) -> None:
    """Kill this process as soon as its parent, process `parent`, has ended.

    It is killed and not asked to stop: its parent could have asked, and did not. The rest is
    recovered as after any crash of a gateway or worker. Raises SystemExit if the parent has ended.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # the parent ended before prctl
        raise SystemExit(1)


def _watch(parent: int) -> None:
    """Watch the parent, for systems whose kernel does not."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
