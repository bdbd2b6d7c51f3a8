"""`betcore backup` and `betcore restore`: the embedded PostgreSQL, by PostgreSQL's own tools."""

import signal
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from models.errors import BetcoreError
from ops.terminal.durations import read_time
from ops.terminal.options import AsJson, DataDir, configuration, emit
from ops.terminal.typed import to_type

To = Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder of the backups.")]
Wal = Annotated[
    bool, typer.Option("--wal", help="Only copy what changed since the last copy, and end.")
]
Follow = Annotated[
    bool, typer.Option("--follow", help="Copy every change as it is made, until SIGTERM.")
]
Keep = Annotated[
    int | None, typer.Option(min=1, help="Then remove all but this number of the newest copies.")
]
Source = Annotated[Path, typer.Option("--from", metavar="DIR", help="The folder of the backups.")]
Target = Annotated[
    Path, typer.Option("--to", metavar="DIR", help="The new data folder. It must not exist yet.")
]
Moment = Annotated[
    datetime | None,
    typer.Option(
        "--time",
        parser=read_time,
        metavar="TIME",
        help="Restore to this moment; UTC unless it names a zone. Default: the last copied change.",
    ),
]


class NotEmbedded(BetcoreError):  # noqa: N818 - the name says what is wrong
    """There is no embedded PostgreSQL to copy: another server has tools of its own."""


def backup(
    to: To,
    wal: Wal = False,
    follow: Follow = False,
    keep: Keep = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Copy the embedded PostgreSQL into a folder.

    Bets go on meanwhile. Without an option this is a whole, verified copy. With --wal or --follow
    it is what changed since then, so that you can restore to any moment. The keys are not in a
    backup: keep them elsewhere.
    """
    from embedded.backup import WAL, copy_wal, following_wal, make_backup, remove_old
    from embedded.locks import is_held
    from ops.database import note_done

    if wal + follow + (keep is not None) > 1:
        raise typer.BadParameter("--wal, --follow and --keep exclude each other: choose one")
    url = _superuser_url(data_dir)
    if follow:
        with following_wal(url, to) as process:
            signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
            process.wait()
        if process.returncode:
            raise BetcoreError("The changes are no longer copied: see the line above.")
    elif wal:
        emit({"folder": str(to), "until": copy_wal(url, to)}, as_json)
    else:
        made = make_backup(url, to)
        note_done(url, "backup")
        if not is_held(to / WAL):  # otherwise `--follow` copies the changes
            copy_wal(url, to)
        removed = [] if keep is None else remove_old(to, keep)
        result = {"backup": str(made.folder), "from": made.finished_at, "removed": len(removed)}
        emit(result, as_json)


def restore(source: Source, to: Target, time: Moment = None, as_json: AsJson = False) -> None:
    """Make a data folder from a backup.

    The folder is as the installation was at --time. It has a copy of the database, and neither keys
    nor anything of Redis. Nothing is ever overwritten.
    """
    from embedded.restore import restore as restore_folder

    made = restore_folder(source, to, time)
    emit({"folder": str(made.folder), "backup": str(made.backup.folder), "time": time}, as_json)
    typer.echo(
        f"Copy the files journal-key, operator-key and secrets-key into {to}. Then:", err=True
    )
    for words in ("up", "ledger verify --seal SEAL", "reconcile --provider ID --file bets.csv"):
        typer.echo(f"  {to_type(words, to)}", err=True)
    typer.echo("Without this --data-dir, a command works on other data.", err=True)


def _superuser_url(data_dir: Path | None) -> str:
    """The URL of the running embedded server. Raises NotEmbedded."""
    from embedded import running

    configured = configuration(data_dir)
    if configured.database_url:
        raise NotEmbedded(
            "DATABASE_URL names a server of your own: back it up with its own tools"
            " (docs/OPERATIONS.md, Back up)."
        )
    urls = running(configured.data_dir)
    if urls is None or not urls.database:
        raise NotEmbedded(f"No PostgreSQL runs on {configured.data_dir}: start `betcore up` there.")
    return urls.database
