"""How long tests wait for what must happen: ends, not expectations.

Only a test that fails waits so long. The machine may be three times slower, and busy with ten other
things: what takes two seconds on a quiet one has a minute.
"""

import time

import pytest

SOON = 60.0  # seconds, for what a process that runs does: an answer, a line, a row
START = 300.0  # for processes that start or end, with all that they wait for
COMMAND = 300.0  # for one command from its start to its end

_QUIET_WITHIN_SECONDS = 240.0
_CPU_SECONDS = 0.05
_SLOWED_DOWN_MAX = 1.6  # by others on the same cores


def wait_for_quiet() -> None:
    """Wait until this machine has a core for us, for a test that asserts how long something takes.

    Skips the test when others keep all cores busy for minutes.
    """
    give_up_at = time.monotonic() + _QUIET_WITHIN_SECONDS
    while _slowed_down() > _SLOWED_DOWN_MAX:
        if time.monotonic() > give_up_at:
            pytest.skip("it asserts a time, and this machine has been busy for minutes")


def _slowed_down() -> float:
    """How many times longer work takes than on an idle machine."""
    began, used = time.monotonic(), time.process_time()
    while time.process_time() - used < _CPU_SECONDS:
        pass
    return (time.monotonic() - began) / _CPU_SECONDS
