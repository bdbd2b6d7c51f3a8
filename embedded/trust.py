"""Whether other users could put something of theirs into a folder, or in its place."""

import grp
import os
import pwd
import stat
from pathlib import Path

from embedded.errors import EmbeddedError

_LINKS_MAX = 40  # as Linux
_OTHERS_WRITE, _GROUP_WRITES = 0o002, 0o020


def require_ours(folder: Path) -> None:
    """Raise EmbeddedError, which names the cure, when other users could change what `folder` holds.

    It has to belong to us, and only we may write there. In every folder above it, and in those that
    links lead through, other users must not be able to rename the next one. A folder above may
    belong to another user: that one can take ours away, but cannot give us another unseen.
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
        raise EmbeddedError(f"{link} is a link that leads round in a circle: choose another folder")
    if owner not in (0, os.geteuid()):
        raise EmbeddedError(
            f"the data folder is reached by {link}, a link of user {_user(owner)}, who could lead"
            " it elsewhere: name the folder that it leads to"
        )
    _require_closed(link)


def _require_closed(path: Path) -> None:
    """Nobody but us and root can rename what is above `path`, or put another in its place."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if mode & stat.S_ISVTX or not mode & (_OTHERS_WRITE | _GROUP_WRITES):
            continue
        if not mode & _OTHERS_WRITE and _is_private(folder.stat().st_gid):
            continue
        raise EmbeddedError(
            f"others can write in {folder}, which the data folder is in, and so replace it:"
            f" chmod go-w {folder}"
        )


def _is_private(gid: int) -> bool:
    """Whether a group is that of our user alone, as many systems make one for each user.

    Not for root, whom others' programs often share a group with.
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
