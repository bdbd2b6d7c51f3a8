"""Ends a child process with its parent, however the parent ends: by kill -9 too."""

import ctypes
import os
import signal
import sys
import threading
import time

from embedded.keeper import PR_SET_PDEATHSIG

_LOOK_EVERY_SECONDS = 0.5


def end_with(parent: int) -> None:
    """Kill this process as soon as process `parent`, whose child it is, is gone.

    Killed, and not asked to end: its parent could ask, and did not. What a killed gateway or
    worker leaves behind is recovered as after any crash. Raises SystemExit when it is gone already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # gone before the kernel knew
        raise SystemExit(1)


def _watch(parent: int) -> None:
    """The same where the kernel does not do it for us."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
