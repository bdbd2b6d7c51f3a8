"""`betcore provider`: the companies whose games run."""

from typing import Annotated

import typer

from models.db import transaction
from models.providers import add_provider
from ops.database import database_failures
from ops.options import DEFAULT_DATA_DIR, AsJson, DataDir, emit, find_settings

app = typer.Typer(help="Providers: the companies whose games run.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="How the provider is called; each name once.")]


@app.command("add")
def add(name: Name, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Add a provider and print what it signs with; the secret is shown this once."""
    settings = find_settings(data_dir)
    with database_failures(), transaction(settings.database_url) as database:
        added = add_provider(database, name)
    emit({"counterpartyId": added.counterparty_id, "secret": added.secret}, as_json)
