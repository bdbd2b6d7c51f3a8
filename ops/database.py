"""Connects a command to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from sqlmodel import Session as DbSession

from models.audit.log import operation
from models.database.failures import database_failures
from models.database.transactions import transaction
from models.errors import BetcoreError
from models.reports.vitals import Chore, record_done
from ops.author import author_of
from ops.terminal.options import find_settings


@contextmanager
def ledger_of(data_dir: Path | None) -> Iterator[DbSession]:
    """Open one transaction on the command's database. It commits unless the body raises.

    Raises NoServers, and whatever `database_failures` raises.
    """
    with database_failures(), transaction(find_settings(data_dir).database_url) as database:
        yield database


@contextmanager
def changes_of(data_dir: Path | None, note: str | None) -> Iterator[DbSession]:
    """Like `ledger_of`, for a command that changes something: the audit log records who and why.

    Raises NoKey or BadKey without the operator key, and InvalidRequest for an invalid note.
    """
    settings = find_settings(data_dir)
    author = author_of(settings, note)
    with database_failures(), operation(settings.database_url, author) as database:
        yield database


def note_done(database_url: str, chore: Chore) -> None:
    """Record for the metrics that a chore was just done.

    It is done even if that cannot be recorded, as on a standby. Then a line on stderr says so.
    """
    try:
        record_done(database_url, chore)
    except BetcoreError as error:
        typer.echo(f"betcore: the metrics do not learn of this {chore}: {error}", err=True)
