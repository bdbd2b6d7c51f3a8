"""`betcore provider`: the companies whose games run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.commands import provider_secrets
from ops.options import DEFAULT_DATA_DIR, AsJson, DataDir, emit

app = typer.Typer(help="Providers: the companies whose games run.", no_args_is_help=True)
app.add_typer(provider_secrets.app, name="secret")

CounterpartyId = Annotated[
    str, typer.Argument(metavar="ID", help="The provider's counterparty id.")
]
Name = Annotated[str, typer.Argument(help="How the provider is called; each name once.")]


@app.command("add")
def add(name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Add a provider and print what it signs with.

    The secret is shown this once.
    """
    from models.providers import add_provider
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        added = add_provider(database, name)
    emit({"counterpartyId": added.counterparty_id, "secret": added.secret}, as_json)


@app.command("suspend")
def suspend(
    counterparty_id: CounterpartyId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Take no new bet of a provider from now on.

    What is owed is still paid and given back.
    """
    _set_status(counterparty_id, "suspended", data_dir, as_json)


@app.command("resume")
def resume(
    counterparty_id: CounterpartyId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Take bets of a suspended provider again.

    Bets that were refused meanwhile stay refused.
    """
    _set_status(counterparty_id, "active", data_dir, as_json)


def _set_status(
    counterparty_id: str, status: Literal["active", "suspended"], data_dir: Path, as_json: bool
) -> None:
    from models.providers import set_provider_status
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        set_provider_status(database, counterparty_id, status)
    emit({"counterpartyId": counterparty_id, "status": status}, as_json)
