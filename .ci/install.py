"""Installs betcore and betcore-kit where this runs, and says how far it is.

`make` calls it with the extras to install. Only the standard library is there yet.
"""

import importlib.metadata
import re
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SHOW_EVERY_SECONDS = 0.5
_SHOW_EVERY_SECONDS_IN_A_FILE = 10.0
_TAIL_LINES = 15  # of what pip says, when it fails
_WIDTH = 100


class Pip:
    """A `pip install` that runs, and what it has said so far."""

    def __init__(self, extras: str) -> None:
        self.said: deque[str] = deque(maxlen=_TAIL_LINES)
        self._before = _installed()
        self._found: set[str] = set()
        self._to_install = 0
        self._doing = "beginning"
        # --no-user: pip's own configuration may say the contrary.
        command = [sys.executable, "-m", "pip", "install", "--no-user", "--no-input"]
        command += ["--disable-pip-version-check", "--progress-bar", "off"]
        self._process = subprocess.Popen(  # noqa: S603  # pip
            [*command, "--editable", f".[{extras}]", "--editable", "./kit"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        if self._process.poll() is None:
            return None
        self._reader.join()
        return self._process.returncode

    def status(self) -> str:
        """What it is doing, and how far it is."""
        if self._to_install:
            done = min(_installed() - self._before, self._to_install)
            return f"installing: {done} of {self._to_install} packages"
        return f"{len(self._found)} packages found; {self._doing}"

    def _read(self) -> None:
        for line in self._process.stdout or ():
            words = line.split()
            if not words:
                continue
            self.said.append(line.rstrip())
            if words[0] == "Collecting" or line.startswith("Requirement already satisfied:"):
                self._found.add(re.split(r"[^\w.-]", words[-1 if len(words) < 2 else 1])[0])
            elif words[0] == "Downloading":
                self._doing = f"downloading {words[1].rpartition('/')[2]} {' '.join(words[2:])}"
            elif line.startswith("Installing collected packages:"):
                self._to_install = len(words) - 3
            elif words[0] in ("Installing", "Getting", "Preparing", "Building"):
                self._doing = " ".join(words).partition(":")[0].lower()


def _installed() -> int:
    return sum(1 for _ in importlib.metadata.distributions())


def main(extras: str) -> int:
    """Install; pip's exit code."""
    on_terminal = sys.stdout.isatty()
    began = shown_at = time.monotonic()
    pip = Pip(extras)
    while pip.exit_code is None:
        time.sleep(_SHOW_EVERY_SECONDS)
        now = time.monotonic()
        line = f"  {now - began:3.0f} s  {pip.status()}"[:_WIDTH]
        if on_terminal:
            print(f"\r{line:<{_WIDTH}}", end="", flush=True)  # noqa: T201
        elif now - shown_at >= _SHOW_EVERY_SECONDS_IN_A_FILE:
            print(line, flush=True)  # noqa: T201
            shown_at = now
    if on_terminal:
        print(f"\r{'':<{_WIDTH}}\r", end="")  # noqa: T201
    if pip.exit_code:
        print("\n".join(pip.said), file=sys.stderr)  # noqa: T201
        print("The installation failed; what pip said last is above.", file=sys.stderr)  # noqa: T201
    else:
        print(f"installed in {time.monotonic() - began:.0f} s")  # noqa: T201
    return pip.exit_code or 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit("\nThe installation was interrupted; the next `make` begins it anew.")
