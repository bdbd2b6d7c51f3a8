"""The password of an embedded PostgreSQL's superuser: in a file of the data folder, for us alone.

Nobody gets in without it, whatever account runs the server: root has PostgreSQL run as `postgres`
or `nobody`, which other programs use too.
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
    """A new password, which needs no quoting anywhere."""
    return secrets.token_hex(_BYTES)


def kept(home: Path) -> str:
    """The password of the server whose folder is `home`; '' when there is none."""
    return (read_private(home / FILE) or "").strip()


def keep(home: Path, password: str) -> str:
    """Keep the password of the server whose folder is `home`; returns it."""
    write_private(home / FILE, password + "\n")
    return password


@contextmanager
def as_file(folder: Path, password: str, account: Account | None) -> Iterator[Path]:
    """The password in a file that `account` can read, for as long as the context lives."""
    path = folder / f"{FILE}-of-account"
    write_private(path, password + "\n")
    give(path, account)
    try:
        yield path
    finally:
        path.unlink()


def is_open(cluster: Path) -> bool:
    """Whether this cluster lets somebody in without a password, as older versions made it."""
    return _TRUSTS.search((cluster / _HBA).read_text()) is not None


def statement(user: str, password: str) -> str:
    """What sets the password, for PostgreSQL's single-user mode: no moment is open to others."""
    return f"alter role {user} password '{password}'\n"


def demand(cluster: Path, account: Account | None) -> None:
    """Have PostgreSQL ask everybody for a password from its next start on."""
    # Beside the cluster, and renamed into it: within, the account could have put a link in its way.
    aside = cluster.with_name(f"{cluster.name}-{_HBA}")
    write_private(aside, _DEMANDS)
    give(aside, account)
    aside.replace(cluster / _HBA)
