"""Who runs a command: the name that the audit log gets, and the key that vouches for it."""

import os
import pwd
import socket
from pathlib import Path

from models.audit.log import Author
from models.keys import Purpose, require_ring
from ops.keys import require_keys
from settings import Settings


def author_of(configured: Settings, data_dir: Path, note: str | None) -> Author:
    """The author of what this command changes.

    Raises NoKey or BadKey without the operator key, and InvalidRequest when the note or the actor
    cannot be recorded.
    """
    with_key = require_keys(configured, data_dir, Purpose.OPERATOR)
    key = require_ring(with_key, Purpose.OPERATOR).current
    return Author(configured.actor or _user_and_host(), key, note)


def _user_and_host() -> str:
    """The operating system's own word for it: variables such as USER say what one likes."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:  # a container may run as a user that it has no name for
        name = str(user)
    return f"{name}@{socket.gethostname()}"
