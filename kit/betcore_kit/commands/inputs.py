"""What the commands share: bytes from a file or stdin, and the secret."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from betcore_kit.errors import KitError

SECRET_VARIABLE = "BETCORE_KIT_SECRET"  # noqa: S105  # the name of a variable


def read_bytes(path: str) -> bytes:
    """Return the bytes of a file, or of stdin if the path is `-`. Raises KitError."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise KitError(f"{path} cannot be read: {error.strerror}.") from None


def find_secrets(given: Iterable[str] | None, file: str | None) -> list[str]:
    """Return the secrets of the options, or that of the environment. Raises KitError for none.

    A secret in a file ends before the end of its first line.
    """
    found = [one for one in given or () if one]
    if file is not None:
        lines = read_bytes(file).decode("utf-8", "replace").splitlines()
        found += [line.strip() for line in lines[:1] if line.strip()]
    if not found and os.environ.get(SECRET_VARIABLE):
        found = [os.environ[SECRET_VARIABLE]]
    if not found:
        raise KitError(f"The secret is missing: use --secret-file, --secret or {SECRET_VARIABLE}.")
    return found
