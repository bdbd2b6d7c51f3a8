"""A command as its reader can type it: it reaches this program, and this installation's data."""

import shlex
import shutil
import sys
from pathlib import Path

_NAME = "betcore"


def to_type(words: str, data_dir: Path) -> str:
    """A command of betcore with these words, for the installation in this data folder.

    The reader may have another shell than ours, without our variables. So any folder but the usual
    one is named, whole: otherwise the command would work on another installation.
    """
    from settings import Settings

    usual = Path(Settings.model_fields["data_dir"].default)
    named = "" if data_dir.resolve() == usual.resolve() else shlex.quote(str(data_dir.resolve()))
    return f"{_program()} {words}{named and f' --data-dir {named}'}"


def _program() -> str:
    """The name of this program if a shell finds it by its name, and otherwise its place."""
    ours = Path(sys.argv[0])
    found = shutil.which(_NAME)
    if ours.name != _NAME or (found and Path(found).resolve() == ours.resolve()):
        return _NAME
    return shlex.quote(sys.argv[0])
