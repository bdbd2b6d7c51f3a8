"""File descriptors that say "the owner lives", which a forked child must not keep open."""

import os

_vital: set[int] = set()


def guard(descriptor: int) -> int:
    """Close `descriptor` in every forked child from now on; returns it."""
    _vital.add(descriptor)
    return descriptor


def close(descriptor: int) -> None:
    """Close a guarded descriptor; does nothing where it is closed already."""
    if descriptor in _vital:
        _vital.discard(descriptor)
        os.close(descriptor)


def _close_all() -> None:
    for descriptor in tuple(_vital):
        close(descriptor)


# Programs that we execute do not inherit them (PEP 446); a fork without exec, as multiprocessing
# does, would: that child would keep servers and lock alive after the owner's death.
os.register_at_fork(after_in_child=_close_all)
