"""Detects whether other users could change a folder's content, or replace the folder."""

import grp
import os
import pwd
import stat
from pathlib import Path

from embedded.errors import EmbeddedError

_LINKS_MAX = 40  # as in Linux
_OTHERS_WRITE, _GROUP_WRITES = 0o002, 0o020


def require_ours(folder: Path) -> None:
    """Raise EmbeddedError if other users could change what `folder` holds. It names the remedy.

    The folder has to belong to us, and only we may write there. Other users must not be able to
    rename the next folder in any folder above it, or in any that links lead through. A folder above
    may belong to another user. That user can take ours away, but we would notice any replacement.
    """
    at, links = Path(os.path.abspath(folder)), 0
    while link := next((part for part in (*reversed(at.parents), at) if part.is_symlink()), None):
        links += 1
        _require_link(link, links)
        at = Path(os.path.abspath(link.parent / os.readlink(link) / at.relative_to(link)))
    status = at.stat()
    if status.st_uid != os.geteuid():
        raise EmbeddedError(
            f"the data folder {at} belongs to user {_user(status.st_uid)}, and this runs as"
            f" {_user(os.geteuid())}: run it as that user, or choose another folder"
        )
    if status.st_mode & (_OTHERS_WRITE | _GROUP_WRITES):
        raise EmbeddedError(f"others can write in the data folder: chmod go-w {at}")
    _require_closed(at)


def _require_link(link: Path, count: int) -> None:
    owner = link.lstat().st_uid
    if count > _LINKS_MAX:
        raise EmbeddedError(f"{link} is a link that leads back to itself: choose another folder")
    if owner not in (0, os.geteuid()):
        raise EmbeddedError(
            f"the path of the data folder has {link}, a link of user {_user(owner)}, who could"
            " change it: name the folder that it leads to"
        )
    _require_closed(link)


def _require_closed(path: Path) -> None:
    """Require that only we and root can rename or replace `path` or a folder above it."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if mode & stat.S_ISVTX or not mode & (_OTHERS_WRITE | _GROUP_WRITES):
            continue
        if not mode & _OTHERS_WRITE and _is_private(folder.stat().st_gid):
            continue
        raise EmbeddedError(
            f"others can write in {folder}, which contains the data folder, and could replace it:"
            f" chmod go-w {folder}"
        )


def _is_private(gid: int) -> bool:
    """Return whether our user is a group's only member. Many systems make a group per user.

    It is never true for root, because programs of other users often share a group with root.
    """
    try:
        us, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    alone = set(group.gr_mem) <= {us.pw_name}
    return us.pw_uid != 0 and alone and group.gr_name == us.pw_name and us.pw_gid == gid


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
