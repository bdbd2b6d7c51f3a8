"""`betcore currency`: the currencies of accounts, and their decimals."""

from typing import Annotated

import typer

from models.exact_json import exact_json
from models.money import DECIMALS_MAX
from ops.terminal.documents import table
from ops.terminal.options import AsJson, DataDir, Note, emit

app = typer.Typer(help="Currencies: add any that ISO 4217 does not have.", no_args_is_help=True)

Code = Annotated[str, typer.Argument(help="3 to 12 capital letters or digits, such as USDT.")]
Decimals = Annotated[
    int, typer.Option(help=f"How many decimals it has, 0 to {DECIMALS_MAX}; it cannot change.")
]


@app.command("add")
def add(
    code: Code,
    decimals: Decimals,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a currency that ISO 4217 does not have. It is safe to repeat this."""
    from models.directory.currencies import add_currency
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        added = add_currency(database, code, decimals)
    emit({"code": added.code, "decimals": added.decimals}, as_json)


@app.command("list")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the currencies used or added so far. All others of ISO 4217 can be used too."""
    from models.directory.currencies import list_currencies
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        found = [(currency.code, currency.decimals) for currency in list_currencies(database)]
    if as_json:
        rows = [{"code": code, "decimals": decimals} for code, decimals in found]
        typer.echo(exact_json({"currencies": rows}))
    else:
        typer.echo(table(("currency", "decimals"), found))
