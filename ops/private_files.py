"""Small files with secrets in the data folder, for our eyes only."""

import os
from pathlib import Path


def read_private(path: Path) -> str | None:
    """What is in the file; None when there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def write_private(path: Path, text: str) -> None:
    """Write the file, mode 0600: whole or not at all."""
    part = path.with_name(f"{path.name}.tmp")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
