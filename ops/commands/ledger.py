"""`betcore ledger`: whether every rule about recorded money holds."""

import typer

from models.verify import verify as verify_ledger
from ops.database import database_failures
from ops.documents import exact_json
from ops.options import DEFAULT_DATA_DIR, AsJson, DataDir, emit, find_settings

app = typer.Typer(help="The ledger: every transfer of money.", no_args_is_help=True)

_PROBLEMS_MAX = 100


@app.command("verify")
def verify(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Check every account, transfer and bet as of one moment; exit with 1 when any is wrong."""
    settings = find_settings(data_dir)
    with database_failures():
        report = verify_ledger(settings.database_url, _PROBLEMS_MAX)
    counts = {"ok": report.ok, "transfers": report.transfers, "accounts": report.accounts}
    if as_json:
        typer.echo(exact_json(counts | {"problems": report.problems, "more": report.more}))
    else:
        emit(counts | {"ok": "yes" if report.ok else "no"}, as_json)
        for problem in report.problems:
            typer.echo(f"  {problem}")
        if report.more:
            typer.echo(f"  … and {report.more} more.")
    if not report.ok:
        raise typer.Exit(1)
