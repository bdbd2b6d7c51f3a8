"""The password of an embedded PostgreSQL's superuser, in a file that only we can read.

The file is in the data folder. Nobody can connect without the password, whatever account runs the
server. That matters for root, which runs PostgreSQL as `postgres` or `nobody`: other programs use
these accounts too.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.places import Account, give
from models.private_files import read_private, write_private

FILE = "superuser-password"
_BYTES = 24
_HBA = "pg_hba.conf"
_TRUSTS = re.compile(r"^\s*(local|host\w*)\s.*\btrust\b", re.MULTILINE)
_DEMANDS = """# Written by betcore: everybody is asked for a password.
local all         all scram-sha-256
local replication all scram-sha-256
"""


def fresh() -> str:
    """Return a new password. It needs no quoting anywhere."""
    return secrets.token_hex(_BYTES)


def kept(home: Path) -> str:
    """Return the password of the server whose folder is `home`, or "" if there is none."""
    return (read_private(home / FILE) or "").strip()


def keep(home: Path, password: str) -> str:
    """Keep the password of the server whose folder is `home`. Returns the password."""
    write_private(home / FILE, password + "\n")
    return password


@contextmanager
def as_file(folder: Path, password: str, account: Account | None) -> Iterator[Path]:
    """Write the password to a file that `account` can read, for the duration of the context."""
    path = folder / f"{FILE}-of-account"
    write_private(path, password + "\n")
    give(path, account)
    try:
        yield path
    finally:
        path.unlink()


def is_open(cluster: Path) -> bool:
    """Return whether this cluster accepts connections without a password.

    Older versions of betcore made such clusters.
    """
    return _TRUSTS.search((cluster / _HBA).read_text()) is not None


def statement(user: str, password: str) -> str:
    """Return the statement that sets the password, for PostgreSQL's single-user mode.

    In that mode nobody else can connect before the password is set.
    """
    return f"alter role {user} password '{password}'\n"


def demand(cluster: Path, account: Account | None) -> None:
    """Make PostgreSQL require a password for every connection from its next start on."""
    # Write the file beside the cluster, and rename it into place. Within the cluster, the account
    # could have put a link in its way.
    aside = cluster.with_name(f"{cluster.name}-{_HBA}")
    write_private(aside, _DEMANDS)
    give(aside, account)
    aside.replace(cluster / _HBA)
