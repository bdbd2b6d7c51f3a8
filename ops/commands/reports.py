"""`betcore report`: totals over all bets."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.terminal.options import (
    AsCsv,
    AsJson,
    DataDir,
    Since,
    Until,
    emit_csv,
    emit_list,
    find_settings,
    require_one_form,
    require_period,
)

if TYPE_CHECKING:
    from models.reports.house import HouseDay

app = typer.Typer(help="Reports: totals over all bets.", no_args_is_help=True)

_TITLES = (
    *("day", "provider", "name", "game", "currency", "bets", "stakes", "refunds", "wins"),
    *("winReversals", "result"),
)

Provider = Annotated[str | None, typer.Option(help="Only this provider, by its counterparty id.")]
Currency = Annotated[str | None, typer.Option(help="Only this currency, such as EUR.")]
Game = Annotated[str | None, typer.Option(help="Only this game, as the session names it.")]


@app.callback()
def report() -> None:
    """Reports: totals over all bets."""


@app.command("open-bets")
def open_bets(
    provider: Provider = None,
    as_csv: AsCsv = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show how many bets are open now, by provider, currency and age."""
    from models.reports.open_ages import TITLES, open_bet_ages
    from ops.database import ledger_of

    require_one_form(as_csv, as_json)
    with ledger_of(data_dir) as database:
        rows = [age.row() for age in open_bet_ages(database, provider)]
    if as_csv:
        emit_csv(TITLES, rows)
    else:
        emit_list({}, "ages", rows, as_json)


@app.command("house")
def house(
    provider: Provider = None,
    currency: Currency = None,
    game: Game = None,
    since: Since = None,
    until: Until = None,
    as_csv: AsCsv = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the house's result by day (UTC), provider, game and currency.

    The result is stakes minus refunds minus wins plus wins taken back. A transfer counts on the day
    on which it was made.
    """
    from models.database.failures import database_failures
    from models.reports.house import house_result
    from models.reports.statement import Period

    require_one_form(as_csv, as_json)
    require_period(since, until)
    settings = find_settings(data_dir)
    with database_failures():
        period = Period(since, until)
        days = house_result(settings.database_url, period, provider, currency, game)
        rows = (_row(day) for day in days)
        if as_csv:
            emit_csv(_TITLES, rows)
        else:
            emit_list({}, "days", rows, as_json)


def _row(day: "HouseDay") -> dict[str, object]:
    cells = (
        *(day.day, day.provider, day.name, day.game, day.currency, day.bets, day.stakes),
        *(day.refunds, day.wins, day.win_reversals, day.result),
    )
    return dict(zip(_TITLES, cells, strict=True))
