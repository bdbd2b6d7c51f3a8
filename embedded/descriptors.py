"""File descriptors that mean "the owner lives". A forked child must not keep them open."""

import os

_vital: set[int] = set()


def guard(descriptor: int) -> int:
    """Close `descriptor` in every child forked from now on. Returns `descriptor`."""
    _vital.add(descriptor)
    return descriptor


def close(descriptor: int) -> None:
    """Close a guarded descriptor. Does nothing if it is already closed."""
    if descriptor in _vital:
        _vital.discard(descriptor)
        os.close(descriptor)


def _close_all() -> None:
    for descriptor in tuple(_vital):
        close(descriptor)


# Programs that we execute do not inherit these descriptors (PEP 446). A fork without exec, as in
# multiprocessing, does. Such a child would keep servers and lock alive after the owner's death.
os.register_at_fork(after_in_child=_close_all)
