"""`betcore reconcile`: compares a provider's own list of its bets with our records."""

from collections.abc import Iterator
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.terminal.durations import read_time
from ops.terminal.options import (
    AsCsv,
    AsJson,
    DataDir,
    emit_csv,
    emit_list,
    find_settings,
    require_one_form,
    require_period,
)
from ops.terminal.progress import Progress

if TYPE_CHECKING:
    from models.audit.reconcile import Reconciliation

#: Columns of the output, in the order of `Difference`.
_TITLES = (
    *("difference", "line", "betId", "stakeThere", "stakeHere", "winThere", "winHere"),
    *("stateThere", "stateHere", "what"),
)

Provider = Annotated[str, typer.Option(help="The provider's counterparty id.")]
File = Annotated[
    Path,
    typer.Option(
        help="Its list, a CSV file in UTF-8. The titles are betId and any of stake, win, state."
    ),
]

Since = Annotated[
    datetime | None,
    typer.Option(
        parser=read_time,
        metavar="TIME",
        help="Bets recorded before this need not be in the list; UTC unless it names a zone.",
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        parser=read_time,
        metavar="TIME",
        help="Bets recorded at this time or later need not be in it.",
    ),
]


def reconcile(
    provider: Provider,
    file: File,
    since: Since = None,
    until: Until = None,
    as_csv: AsCsv = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Compare a provider's own list of bets with ours.

    The exit code is 1 if they differ. A column that the list does not have is not compared. An
    empty amount means 0. A line that cannot be read is a difference too.
    """
    from models.audit.bet_list import bet_list
    from models.audit.reconcile import Scope
    from models.audit.reconcile import reconcile as compare
    from models.database.failures import database_failures

    require_one_form(as_csv, as_json)
    require_period(since, until)
    settings = find_settings(data_dir)
    with bet_list(file) as bets, database_failures():
        scope = Scope("stake" in bets.columns, "win" in bets.columns, since, until)
        with compare(settings.database_url, provider, bets, scope, Progress()) as found:
            if as_csv:
                emit_csv(_TITLES, _rows(found))
            else:
                emit_list(_summary(provider, found), "differences", _rows(found), as_json)
            same = not found.counts
    if not same:
        raise typer.Exit(1)


def _summary(provider: str, found: "Reconciliation") -> dict[str, object]:
    return {
        "provider": provider,
        "ok": not found.counts,
        "listed": found.listed,
        "missingHere": found.counts.get("missing_here", 0),
        "missingThere": found.counts.get("missing_there", 0),
        "differing": found.counts.get("differs", 0),
        "badLines": found.counts.get("bad_line", 0),
    }


def _rows(found: "Reconciliation") -> Iterator[dict[str, object]]:
    """Yield the differences by column title."""
    for difference in found.differences:
        yield dict(zip(_TITLES, astuple(difference), strict=True))
