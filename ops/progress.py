"""How far a command is that may take long, told on stderr when it does."""

import sys
import time

import typer

_QUIET_SECONDS = 5.0  # what takes less is not worth a line, unless somebody looks on


class Progress:
    """Call it with the name of each stage as it begins."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = sys.stderr.isatty()

    def __call__(self, stage: str) -> None:
        """Say which stage begins, and after how many seconds."""
        seconds = time.monotonic() - self._began
        if self._shown or seconds >= _QUIET_SECONDS:
            typer.echo(f"{seconds:6.1f} s  {stage} …", err=True)
