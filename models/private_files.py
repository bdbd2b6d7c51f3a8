"""Small files with secrets in the data folder, for our account only.

If another account made a file, or may read or write it, then the file holds no secret: whoever
chose a key knows it. So this module refuses it, and does not read it. Root is no exception: it
reads only what root wrote. So nobody can choose a key for a command that runs with `sudo`.
"""

import os
import pwd
import stat
from pathlib import Path

from models.errors import BetcoreError

_BYTES_MAX = 64 * 1024


class PrivateFileRefused(BetcoreError):  # noqa: N818
    """Another account could have read or written a file for secrets."""


def read_private(path: Path) -> str | None:
    """The text of the file, or None when there is no file.

    Raises PrivateFileRefused for a file that is not ours alone, or that cannot be one of ours.
    """
    # It follows no link, which may lead anywhere, and does not block, as opening a FIFO would.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink() or path.is_socket():
            raise _refused(path, "is not a regular file", "remove it") from error
        raise
    try:
        _require_ours(path, os.fstat(descriptor))
        content = os.read(descriptor, _BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(content) > _BYTES_MAX:
        raise _refused(path, f"is larger than {_BYTES_MAX // 1024} KiB", "remove it")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _refused(path, "is not a text", "remove it") from error


def write_private(path: Path, text: str) -> None:
    """Write the file with mode 0600, whole or not at all, even if the machine stops just after."""
    part = path.with_name(f"{path.name}.tmp")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _require_ours(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, "is not a regular file", "remove it")
    if status.st_uid not in (os.geteuid(), 0):
        owner = _name(status.st_uid)
        raise _refused(path, f"belongs to {owner}", f"run this as {owner}, or remove the file")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise _refused(path, f"has mode {mode}, so others may use it", f"`chmod 600 {path}`")


def _refused(path: Path, why: str, cure: str) -> PrivateFileRefused:
    return PrivateFileRefused(f"{path} is not used, as it {why}: {cure}.")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
