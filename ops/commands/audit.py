"""`betcore audit`: who did what, and why."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ops.terminal.options import (
    AsCsv,
    AsJson,
    DataDir,
    Limit,
    Since,
    Until,
    emit_csv,
    emit_list,
    find_settings,
    require_one_form,
    require_period,
)

if TYPE_CHECKING:
    from models.reports.audit_entries import AuditLine

app = typer.Typer(help="The audit log: everything that operators have done.", no_args_is_help=True)

_TITLES = ("entry", "createdAt", "actor", "action", "subject", "name", "facts", "note")

Subject = Annotated[
    str | None,
    typer.Option(
        metavar="KIND[:NAME]",
        help="Only actions on this subject: a currency, provider, secret, player, account or"
        " session. For example: player:ann.",
    ),
]


def read_action(typed: str) -> str:
    """Return the action of this name. Raises typer.BadParameter, which lists all actions."""
    from models.audit.log import Action

    if typed not in set(Action):
        raise typer.BadParameter(f"{typed!r} is not one of {', '.join(Action)}.")
    return Action(typed)


OfAction = Annotated[
    str | None,
    typer.Option("--action", parser=read_action, metavar="ACTION", help="As in player.blocked."),
]


@app.command("list")
def list_(
    subject: Subject = None,
    action: OfAction = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    as_csv: AsCsv = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List what operators have done, newest first.

    Each entry says who did what, to whom, and why. `betcore ledger verify` proves that no entry
    was edited, deleted or inserted.
    """
    from models.database.failures import database_failures
    from models.reports.audit_entries import Wanted, list_entries
    from models.reports.statement import Period

    require_one_form(as_csv, as_json)
    require_period(since, until)
    wanted = Wanted(Period(since, until), action, subject)
    with database_failures():
        found = islice(list_entries(find_settings(data_dir).database_url, wanted), limit)
        if as_json:
            emit_list({}, "entries", _rows(found), as_json)
            return
        rows = ({**row, "facts": _said(row["facts"])} for row in _rows(found))
        if as_csv:
            emit_csv(_TITLES, rows)
        else:
            emit_list({}, "entries", rows, as_json)


def _rows(found: "Iterator[AuditLine]") -> Iterator[dict[str, object]]:
    for line in found:
        cells = (
            str(line.id),
            line.created_at,
            line.actor,
            line.action,
            f"{line.kind} {line.key}",
            line.name,
            line.facts,
            line.note,
        )
        yield dict(zip(_TITLES, cells, strict=True))


def _said(facts: object) -> str:
    """Return facts on one line, such as `status=blocked`."""
    if not isinstance(facts, dict):
        return str(facts)
    return " ".join(f"{name}={value}" for name, value in facts.items())
