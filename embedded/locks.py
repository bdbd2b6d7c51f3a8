"""One owner per data folder: a lock that the kernel releases however its holder ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded import descriptors
from embedded.errors import EmbeddedError, FolderInUse

HOLD_WITHIN_SECONDS = 3.0  # a killed predecessor's servers have ended by then
LOCK = "lock"


@contextmanager
def held(folder: Path) -> Iterator[int]:
    """Hold `folder` for this process. Yields the descriptor of the lock.

    A process started with that descriptor in `pass_fds` shares the lock. It keeps the lock for as
    long as it lives, even after this context has ended. Raises FolderInUse after 3 seconds, and
    EmbeddedError if the folder cannot be written.
    """
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedError(f"cannot lock the data folder {folder}: {error}") from error
    descriptors.guard(lock)
    try:
        _take(lock, folder)
        yield lock
    finally:
        # Close the descriptor without unlocking: an unlock would also release the sharers' lock.
        descriptors.close(lock)


def is_held(folder: Path) -> bool:
    """Return whether a living process holds `folder`. Creates nothing."""
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # The lock is shared, so that two processes that only ask do not report each other.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _take(lock: int, folder: Path) -> None:
    deadline = time.monotonic() + HOLD_WITHIN_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.pread(lock, 20, 0).decode(errors="replace")
                raise FolderInUse(
                    f"the data folder {folder} is in use by servers that process {holder or '?'}"
                    " started: end that process, or choose another folder"
                ) from None
            time.sleep(0.02)
        except OSError as error:
            raise EmbeddedError(f"cannot lock the data folder {folder}: {error}") from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
