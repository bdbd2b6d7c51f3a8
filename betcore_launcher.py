"""Starts `betcore` with its own modules, even if others are named `settings`, `api` or `models`.

Only this module needs a unique name. The current folder, PYTHONPATH and other installed
distributions may have modules with the names of ours (docs/adr/0019).
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import NoReturn

OURS = frozenset(
    (
        *("api", "broker", "embedded", "logs", "metrics"),
        *("models", "ops", "outbound", "server", "settings", "workers"),
    )
)
_HERE = str(Path(__file__).resolve().parent)


class OursFirst:
    """A finder that Python asks before all others. It knows only our top-level modules."""

    @classmethod
    def find_spec(
        cls,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG003
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Where our module of this name is, or None for any other module."""
        return PathFinder.find_spec(name, [_HERE], target) if name in OURS else None


def main() -> NoReturn:
    """Run the command of the arguments. Exits with 1 and one line when a module is not ours."""
    if sys.flags.optimize:
        _start_again_unoptimized()
    sys.meta_path.insert(0, OursFirst)
    try:
        from ops.cli import main as run

        run()
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in OURS:
            raise
        sys.exit(
            f"betcore: {error}. Another distribution has replaced this file of betcore. "
            "Install betcore into a virtual environment of its own."
        )


def _start_again_unoptimized() -> NoReturn:
    """Become a Python that keeps asserts and docstrings: ours are checks, help and messages."""
    os.environ.pop("PYTHONOPTIMIZE", None)
    safe = ["-P"] if sys.flags.safe_path else []
    os.execv(sys.executable, [sys.executable, *safe, __file__, *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
