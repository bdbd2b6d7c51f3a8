"""Makes a data folder from a backup: as PostgreSQL was at the end of its log, or at one moment.

The folder gets its name at the very end. So a killed restore never looks like a data folder.
"""

import json
import re
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from embedded.backup import BASE, UNFINISHED, WAL, Backup, backups, first_segment
from embedded.binaries import find_postgres, for_account
from embedded.errors import BackupFailed, ServerDidNotStart
from embedded.locks import held
from embedded.places import (
    Account,
    data_folder,
    flush,
    give,
    postgres_account,
    private_folder,
    socket_folder,
)
from embedded.postgres import DATABASE, PORT, SETTINGS, options, run_program
from embedded.server import TAIL_CHARACTERS, Recipe, launch

RESTORED = "restored.json"  # in a data folder that a restore has made
_SEGMENT = re.compile(r"[0-9A-F]{24}(\.partial)?|[0-9A-F]{8}\.history")
#: Ids beyond the backup may be in the books of providers and platforms already, for bets that the
#: restore has undone. Nothing new may get them. So ids continue far above.
_SKIP_IDS = """
select setval('ledger_ids', last_value + 1000000000000) from ledger_ids
select setval('player_id_seq', last_value + 1000000000) from player_id_seq
select setval('account_id_seq', last_value + 1000000000) from account_id_seq
"""
_TOO_EARLY = "before configured recovery target was reached"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has made, and from which backup."""

    folder: Path
    backup: Backup
    moment: datetime | None


def restore(source: Path, target: Path, moment: datetime | None = None) -> Restored:
    """Make the data folder `target` from the backup folder `source`.

    It is as the server was at `moment`, or else at the end of the copied log. It has no keys and no
    Redis. Raises BackupFailed, FolderInUse, ServerDidNotStart, EmbeddedError, OSError.
    """
    programs, major = find_postgres()
    backup = _chosen(source, moment)
    if backup.major != major:
        raise BackupFailed(
            f"The backup is of PostgreSQL {backup.major}, and the one here is {major}: install"
            f" version {backup.major}."
        )
    part = _fresh_folder(target)
    home = private_folder(part / "postgres")
    with held(home) as lock:
        account = postgres_account(home)
        programs = for_account(programs, account)
        cluster = data_folder(home, account) / f"pg{major}"
        _copy(source, backup, cluster, account)
        _recover(home, cluster, programs, account, lock, moment)
        shutil.rmtree(_log_of(cluster))
        _finish(cluster, programs, account, lock)
    about = {"backup": str(backup.folder), "moment": moment.isoformat() if moment else None}
    (part / RESTORED).write_text(json.dumps(about) + "\n")
    part.rename(target)
    flush(target.parent)
    return Restored(target, backup, moment)


def _chosen(source: Path, moment: datetime | None) -> Backup:
    """The last backup that was finished before the moment."""
    found = backups(source)
    if not found:
        raise BackupFailed(f"{source} has no finished backup.")
    before = [one for one in found if moment is None or one.finished_at <= moment]
    if not before:
        earliest = found[0].finished_at.isoformat()
        raise BackupFailed(
            f"{source} has no backup before that: the first one ended at {earliest}."
        )
    return before[-1]


def _fresh_folder(target: Path) -> Path:
    """The folder to work in. Raises BackupFailed rather than to overwrite anything."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupFailed(f"{target} exists already: choose a folder that does not.")
    part = target.with_name(target.name + UNFINISHED)
    if part.exists():
        raise BackupFailed(f"{part} is from an unfinished restore: remove it first.")
    return private_folder(part)


def _log_of(cluster: Path) -> Path:
    """The copied log, beside the cluster, where the account of the server can read it."""
    return cluster.with_name(WAL)


def _copy(source: Path, backup: Backup, cluster: Path, account: Account | None) -> None:
    shutil.copytree(backup.folder / BASE, cluster)
    first = first_segment(cluster)
    log = _log_of(cluster)
    log.mkdir(mode=0o700)
    for file in sorted(source.glob(f"{WAL}*/*")):
        if _SEGMENT.fullmatch(file.name) and (".h" in file.name or file.name >= first):
            # The last segment is incomplete. PostgreSQL reads as far as it goes.
            shutil.copyfile(file, log / file.name.removesuffix(".partial"))
    for path in (cluster, log, *cluster.rglob("*"), *log.iterdir()):
        give(path, account)


def _recover(
    home: Path,
    cluster: Path,
    programs: Path,
    account: Account | None,
    lock: int,
    moment: datetime | None,
) -> None:
    """Let PostgreSQL apply the log up to the moment, and end."""
    signal_file = cluster / "recovery.signal"
    signal_file.touch(mode=0o600)
    give(signal_file, account)
    sockets = socket_folder(home, account)
    chosen = SETTINGS | {
        "unix_socket_directories": str(sockets),
        "port": str(PORT),
        "hot_standby": "off",  # it answers nobody before it has reached the moment
        "restore_command": f"cp ../{WAL}/%f %p",  # within the folder of the cluster
        "recovery_target_action": "promote",
    }
    if moment is not None:
        chosen["recovery_target_time"] = moment.isoformat()
    recipe = Recipe(
        name="PostgreSQL",
        command=[str(programs / "postgres"), "-D", str(cluster), *options(chosen)],
        home=home,
        account=account,
        sockets=sockets,
        url="",
        stop_signal=signal.SIGINT,
        kill_signal=signal.SIGQUIT,
        throw_away=(),
        trouble=lambda: "" if _is_ready(cluster) else "it has not reached the moment",
    )
    try:
        launch(recipe, lock).stop()
    except ServerDidNotStart as error:
        if _TOO_EARLY in str(error):
            raise BackupFailed(
                "The copied log ends before that moment: copy the rest with `betcore backup --wal`,"
                " or choose an earlier moment."
            ) from error
        raise
    if signal_file.exists():
        raise BackupFailed(f"PostgreSQL did not finish the restore: see {home / 'log'}.")


def _is_ready(cluster: Path) -> bool:
    with suppress(FileNotFoundError, IndexError):
        return (cluster / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    return False


def _finish(cluster: Path, programs: Path, account: Account | None, lock: int) -> None:
    """Skip ids that may have been used, and write everything to the disk."""
    single = [str(programs / "postgres"), "--single", "-D", str(cluster), DATABASE]
    skipped = run_program(single, cluster, account, lock, _SKIP_IDS.lstrip())
    if skipped.returncode or "ERROR" in skipped.stdout:
        raise BackupFailed(f"The ids could not be skipped: {skipped.stdout[-TAIL_CHARACTERS:]}")
    sync = [str(programs / "initdb"), "--sync-only", "--pgdata", str(cluster)]
    synced = run_program(sync, cluster, account, lock)
    if synced.returncode:
        raise BackupFailed(f"{cluster} could not be written: {synced.stdout[-TAIL_CHARACTERS:]}")
