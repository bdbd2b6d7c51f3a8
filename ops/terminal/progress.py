"""Reports the progress of a long command on stderr."""

import sys
import time

import typer

_QUIET_SECONDS = 5.0  # a faster command prints no progress, except on a terminal


class Progress:
    """Call it with the name of each stage as it begins."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = sys.stderr.isatty()

    def __call__(self, stage: str) -> None:
        """Print which stage begins, and after how many seconds."""
        seconds = time.monotonic() - self._began
        if self._shown or seconds >= _QUIET_SECONDS:
            typer.echo(f"{seconds:6.1f} s  {stage} …", err=True)
