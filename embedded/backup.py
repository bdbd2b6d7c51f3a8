"""Backups of an embedded PostgreSQL by its own tools: whole copies, and the log (WAL) since then.

A backup folder has one folder per whole copy, named by its time, and `wal` with the log. A copy is
made under another name and renamed at its end, so that a killed backup never looks like a whole
one. Nothing here holds a key of betcore (docs/OPERATIONS.md, "Back up").
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedded.binaries import find_postgres
from embedded.errors import BackupFailed
from embedded.locks import held
from embedded.places import flush, private_folder
from embedded.server import TAIL_CHARACTERS, server_environment
from models.database.postgres import connect
from models.database.preconditions import Use

BASE, WAL, UNFINISHED = "base", "wal", ".unfinished"
_ABOUT = "backup.json"  # in a finished backup
#: PostgreSQL keeps its log for this reader, so that a later copy has no gap. It keeps at most
#: `max_slot_wal_keep_size` (embedded/postgres.py): no reader may fill the disk.
_SLOT = "betcore_backup"
_MAKE_SLOT = """
    select pg_create_physical_replication_slot(%(slot)s, true)
    where not exists (select from pg_replication_slots where slot_name = %(slot)s)
"""
_DROP_LOST_SLOT = """
    select pg_drop_replication_slot(slot_name) from pg_replication_slots
    where slot_name = %(slot)s and wal_status = 'lost'
"""
_FIRST_SEGMENT = re.compile(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$", re.MULTILINE)
_STATE = """
    select clock_timestamp(), (select timeline_id from pg_control_checkpoint()),
           (select system_identifier::text from pg_control_system())
"""
#: Returns the end of the log, and writes a commit behind it. Without a later commit, PostgreSQL
#: cannot know that it has reached a moment.
_MARK = "select pg_current_wal_insert_lsn()::text, pg_logical_emit_message(true, 'betcore', '')"


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished copy of the whole server."""

    folder: Path
    finished_at: datetime  # by PostgreSQL's clock; it can be restored to any later moment
    major: int  # the version of PostgreSQL
    timeline: int  # PostgreSQL counts one more after each restore
    server: str  # PostgreSQL's identifier of the database's origin


def make_backup(url: str, folder: Path) -> Backup:
    """Copy the whole server of a superuser's `url` into `folder`, and verify the copy.

    The log since then can be copied later (`copy_wal`). Bets go on meanwhile. Raises BackupFailed,
    FolderInUse, EmbeddedError, psycopg.Error.
    """
    folder = private_folder(folder)
    programs, major = find_postgres()
    with held(folder) as lock:
        _require_same_origin(url, folder)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        _ask(url, _DROP_LOST_SLOT, slot=_SLOT)
        if _ask(url, _MAKE_SLOT, slot=_SLOT) and (folder / WAL).exists():
            # The log has a gap. Its reader goes on where its folder ends, so it gets a new folder.
            with held(folder / WAL):
                (folder / WAL).rename(folder / f"{WAL}-before-{name}")
        part = folder / (name + UNFINISHED)
        part.mkdir(mode=0o700)
        base = part / BASE
        copy = ["-D", str(base), "--checkpoint=fast", "--wal-method=stream"]
        _run([str(programs / "pg_basebackup"), *copy, *_login(url)], url, lock)
        _run([str(programs / "pg_verifybackup"), "--quiet", str(base)], url, lock)
        [(finished_at, timeline, server)] = _ask(url, _STATE)
        made = Backup(
            folder / part.name.removesuffix(UNFINISHED), finished_at, major, timeline, server
        )
        _write(part / _ABOUT, made)
        part.rename(made.folder)
        flush(folder)
    return made


def remove_old(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest `keep` backups, and the log that only the removed ones needed.

    Returns the folders that were removed. Raises BackupFailed, FolderInUse.
    """
    with held(folder):
        made = backups(folder)
        removed = [one.folder for one in made[:-keep]]
        for old in removed:
            part = old.with_name(old.name + UNFINISHED)  # nothing uses it while it is removed
            old.rename(part)
            shutil.rmtree(part)
        if removed:
            first = first_segment(made[-keep].folder / BASE)
            for file in folder.glob(f"{WAL}*/{'[0-9A-F]' * 24}*"):
                if file.name < first:
                    file.unlink()
    return removed


def first_segment(base: Path) -> str:
    """The first file of the log that a copy needs. Raises BackupFailed."""
    if found := _FIRST_SEGMENT.search((base / "backup_label").read_text()):
        return found[1]
    raise BackupFailed(f"{base} is damaged: its backup_label names no log.")


def copy_wal(url: str, folder: Path) -> datetime:
    """Copy the log since the last copy. Returns the last moment to which one can restore now.

    Raises what `make_backup` raises.
    """
    with _log_reader(url, folder) as (command, lock):
        [(moment, *_)] = _ask(url, _STATE)
        _ask(url, _MARK)
        [(end, _)] = _ask(url, _MARK)  # behind the first mark; the second one makes it reachable
        _run([*command, "--no-loop", f"--endpos={end}"], url, lock)
    return moment  # type: ignore[no-any-return]


@contextmanager
def following_wal(url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Copy the log all the time, as it is written. The process that does it ends with the context.

    Raises what `make_backup` raises.
    """
    with _log_reader(url, folder) as (command, lock):
        environment = _environment(url)
        process = subprocess.Popen(  # noqa: S603  # a program that we found
            [*command, "--synchronous"], env=environment, pass_fds=[lock], text=True
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)  # it writes what it has, and ends
            process.wait()


def backups(folder: Path) -> list[Backup]:
    """The finished backups of a folder, the oldest first. Raises BackupFailed if one is damaged."""
    return [_read(about) for about in sorted(folder.glob(f"*Z/{_ABOUT}"))]


@contextmanager
def _log_reader(url: str, folder: Path) -> Iterator[tuple[list[str], int]]:
    """The command that copies the log, and the lock that it shares."""
    if not backups(folder):
        raise BackupFailed(f"{folder} has no finished backup: make one before you copy the log.")
    _require_same_origin(url, folder)
    wal = private_folder(folder / WAL)
    with held(wal) as lock:
        programs, _ = find_postgres()
        copy = ["-D", str(wal), f"--slot={_SLOT}", "--status-interval=1"]
        yield [str(programs / "pg_receivewal"), *copy, *_login(url)], lock


def _require_same_origin(url: str, folder: Path) -> None:
    """Two servers must not share a folder: their logs would be mixed."""
    [(_, timeline, server)] = _ask(url, _STATE)
    for made in backups(folder):
        if (made.timeline, made.server) != (timeline, server):
            raise BackupFailed(
                f"{folder} has backups of another server, or of this one before it was restored:"
                " choose another folder."
            )


def _run(command: Sequence[str], url: str, lock: int) -> None:
    done = subprocess.run(  # noqa: S603  # a program that we found
        command,
        env=_environment(url),
        pass_fds=[lock],  # a program that outlives us still holds the folder
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stdout[-TAIL_CHARACTERS:].split())
        raise BackupFailed(f"{Path(command[0]).name} failed: {said}{_cure(said)}")


def _cure(said: str) -> str:
    lost = "has already been removed" in said or "can no longer" in said or _SLOT in said
    return " The log has a gap now: make a new backup." if lost else ""


def _login(url: str) -> list[str]:
    """Options that name the server and the user. The password is not in them: others see them."""
    return ["--no-password", "-d", make_conninfo(url, password="")]


def _environment(url: str) -> Mapping[str, str]:
    password = str(conninfo_to_dict(url).get("password", ""))
    return server_environment(os.environ) | {"PGPASSWORD": password}


def _ask(url: str, statement: str, **values: str) -> list[psycopg.rows.TupleRow]:
    with connect(url, Use.START, connect_seconds=10, wait_seconds=30) as connection:
        return connection.execute(statement.encode(), values or None).fetchall()


def _write(path: Path, made: Backup) -> None:
    about = asdict(made) | {"folder": None, "finished_at": made.finished_at.isoformat()}
    path.write_text(json.dumps(about))
    flush(path)
    flush(path.parent)


def _read(path: Path) -> Backup:
    try:
        about = json.loads(path.read_text())
        about["finished_at"] = datetime.fromisoformat(about["finished_at"])
        return Backup(**about | {"folder": path.parent})
    except (ValueError, TypeError, KeyError) as error:
        raise BackupFailed(f"{path} cannot be read: the backup is damaged.") from error
