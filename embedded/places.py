"""Chooses the folders of a server's files, and the account that it runs as, also under root."""

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from embedded.errors import EmbeddedError
from embedded.trust import require_ours

# World-writable folders with the sticky bit, on every Unix. Only we can use what we make there.
SOCKETS_BELOW = Path("/tmp")  # noqa: S108  # a socket's path ends at 107 bytes: no room for TMPDIR
ELSEWHERE_BELOW = Path("/var/tmp")  # noqa: S108  # survives a reboot
ELSEWHERE = "DATA-IS-ELSEWHERE.txt"


class Account(NamedTuple):
    """The user and group that root runs PostgreSQL as."""

    uid: int
    gid: int


def private_folder(folder: Path) -> Path:
    """Make `folder` if it is missing, accessible only to us. Returns its path without links.

    Raises EmbeddedError if it cannot be made, or if other users could change its content.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_ours(folder)
        return folder.resolve()
    except OSError as error:
        raise EmbeddedError(f"cannot use the data folder {folder}: {error}") from error


def postgres_account(home: Path) -> Account | None:
    """Return the account that runs PostgreSQL. None: our own.

    PostgreSQL refuses to run as root. For root it is the owner of existing data, otherwise
    `postgres` or `nobody`, whichever exists first. Raises EmbeddedError if neither exists.
    """
    if os.geteuid():
        return None
    for cluster in (_elsewhere(home) or home).glob("pg[0-9]*"):
        if (status := cluster.stat()).st_uid:
            return Account(status.st_uid, status.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run"
        " it as: start as another user, or set DATABASE_URL"
    )


def data_folder(home: Path, account: Account | None) -> Path:
    """Return the data folder of the server whose folder is `home` and which runs as `account`.

    It is `home`, unless the account cannot reach `home`, for example below /root. Otherwise it is a
    folder in /var/tmp, and a text file in `home` names it. The caller holds the lock on `home`.
    Raises EmbeddedError if the data was outside `home` and is gone.
    """
    if elsewhere := _elsewhere(home):
        return elsewhere
    if account is None:
        return home
    for folder in (home.parent, home):  # only our folders, never those above
        if not can_pass(folder, account):
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)
    return home if can_reach(home, account) else _make_elsewhere(home)


def socket_folder(home: Path, account: Account | None) -> Path:
    """Return an empty folder for sockets. It is the same at every start for one `home`.

    The caller holds the lock on `home`, so any content is left over from a killed server. Raises
    EmbeddedError if another user owns the folder.
    """
    # The name depends on the inode. A folder may be removed and made again while the servers of the
    # removed one still run. The two must not share sockets.
    name = hashlib.sha256(f"{home} {home.stat().st_ino}".encode()).hexdigest()[:12]
    # There are two levels. Root must never change a path that the account could replace by a link.
    outer = own_folder(
        SOCKETS_BELOW / f"betcore-{os.geteuid()}-{name}", 0o711 if account else 0o700
    )
    inner = outer / "s"
    if inner.exists():
        shutil.rmtree(inner)
    inner.mkdir(mode=0o700)
    give(inner, account)
    return inner


def own_folder(folder: Path, mode: int) -> Path:
    """Make `folder` below a world-writable folder. Raises EmbeddedError if another user owns it."""
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
    except OSError as error:
        raise EmbeddedError(f"cannot make the folder {folder}: {error}") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise EmbeddedError(f"{folder} should be ours, but belongs to another user: remove it")
    folder.chmod(mode)
    return folder


def give(folder: Path, account: Account | None) -> None:
    """Make `account` the owner of `folder`. None: it remains ours."""
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def flush(path: Path) -> None:
    """Write a file or a folder's names to the disk, so that a power failure cannot undo them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def can_reach(folder: Path, account: Account) -> bool:
    """Return whether `account` can pass every folder from the root into `folder`."""
    return all(can_pass(part, account) for part in (folder, *folder.parents))


def can_pass(folder: Path, account: Account) -> bool:
    """Return whether the mode of a folder or program has the x bit for `account`."""
    status = folder.stat()
    shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
    return bool(status.st_mode >> shift & 1)


def _elsewhere(home: Path) -> Path | None:
    """Return the folder outside `home` that holds the data, or None if the data is in `home`."""
    try:
        folder = Path((home / ELSEWHERE).read_text().splitlines()[0])
    except FileNotFoundError:
        return None
    if not folder.is_dir() or folder.stat().st_uid != os.geteuid():
        raise EmbeddedError(
            f"the data of {home} was in {folder}, which is gone or not ours: restore it, or"
            f" remove {home / ELSEWHERE} to start without it"
        )
    return folder


def _make_elsewhere(home: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="betcore-data-", dir=ELSEWHERE_BELOW))
    folder.chmod(0o711)
    try:
        (home / ELSEWHERE).write_text(
            f"{folder}\n\nThe data of this server is in the folder named above, because PostgreSQL"
            " does not run as root\nand the account it runs as cannot reach the folder that holds"
            " this file.\n"
        )
    except OSError:
        shutil.rmtree(folder)
        raise
    return folder
