"""Who runs a command: the name for the audit log, and the key that authenticates it."""

import os
import pwd
import socket

from models.audit.log import Author
from models.keys import Purpose, require_ring
from ops.keys import require_keys
from settings import Settings


def author_of(configured: Settings, note: str | None) -> Author:
    """Return the author of the changes that a command makes.

    Raises NoKey or BadKey without the operator key. Raises InvalidRequest if the note or the actor
    cannot be recorded.
    """
    with_key = require_keys(configured, Purpose.OPERATOR)
    key = require_ring(with_key, Purpose.OPERATOR).current
    return Author(configured.actor or _user_and_host(), key, note)


def _user_and_host() -> str:
    """Return user@host from the operating system. Anybody can set variables such as USER."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:  # a container may run as a user without a name
        name = str(user)
    return f"{name}@{socket.gethostname()}"
