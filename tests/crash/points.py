"""The points before and after each step at which a process of ours can be killed."""

import signal
from pathlib import Path
from typing import Final

GATEWAY: Final = "gateway"
WORKER: Final = "worker"

#: Every step of a bet's way, in order, and who takes it.
STEPS: Final = {
    "admit": GATEWAY,  # after: Redis has answered, nobody has been told
    "take": WORKER,
    "load": WORKER,
    "write": WORKER,  # after: every statement is executed, the COMMIT not sent
    "commit": WORKER,  # before: the COMMIT is sent, its answer not awaited
    "finish": WORKER,
    "reply": GATEWAY,  # after: the answer's bytes are handed to the socket
}

#: Every point and who reaches it, such as `after commit`.
POINTS: Final = {
    f"{side} {step}": role for step, role in STEPS.items() for side in ("before", "after")
}

#: The variable that tells a process in which file it finds the point at which to kill itself.
ARMED_FILE: Final = "CRASH_ARMED_FILE"

#: The variable that names the guard which a process lacks (`tests/crash/unguarded.py`).
WITHOUT: Final = "CRASH_WITHOUT"


def arm(file: Path, point: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Make the process of that file send itself a signal when it next reaches the point."""
    part = file.with_suffix(".part")
    part.write_text(f"{point}\n{number.value}")
    part.rename(file)


def armed(file: Path) -> tuple[str, int]:
    """The point at which the process of that file is to send itself a signal, and which one."""
    try:
        point, number = file.read_text().splitlines()
    except OSError:
        return "", 0
    return point, int(number)


def take_reached(file: Path) -> str:
    """The point that the process of that file has reached since this was asked; '' if none."""
    reached = reached_file(file)
    point, _ = armed(reached)
    if point:
        reached.unlink()
    return point


def reached_file(file: Path) -> Path:
    """What the armed file is renamed to by the process that reached its point."""
    return file.with_suffix(".reached")
