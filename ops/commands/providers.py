"""`betcore provider`: the companies that run the games."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands import provider_rules, provider_secrets
from ops.terminal.options import (
    AsJson,
    DataDir,
    Note,
    emit,
    emit_list,
    emit_lists,
)

if TYPE_CHECKING:
    from models.reports.parties import ListedProvider

app = typer.Typer(help="Providers: the companies that run the games.", no_args_is_help=True)
app.add_typer(provider_secrets.app, name="secret")
app.command("lock")(provider_rules.lock)
app.command("unlock")(provider_rules.unlock)
app.command("allow-list")(provider_rules.allow_list)
app.command("limits")(provider_rules.limits)
app.command("set-url")(provider_rules.set_url)

CounterpartyId = Annotated[
    str, typer.Argument(metavar="ID", help="The provider's counterparty id.")
]
Name = Annotated[str, typer.Argument(help="The provider's name, which must be unique.")]


@app.command("add")
def add(name: Name, note: Note = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Add a provider and print its signing secret.

    The secret is shown only once.
    """
    from models.directory.providers import add_provider
    from ops.database import changes_of
    from ops.keys import secret_cipher

    cipher = secret_cipher(data_dir)
    with changes_of(data_dir, note) as database:
        added = add_provider(database, name, cipher)
    emit({"counterpartyId": added.counterparty_id, "secret": added.secret}, as_json)


@app.command("suspend")
def suspend(
    counterparty_id: CounterpartyId,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Stop new bets of a provider.

    Open bets are still settled and refunded.
    """
    from models.directory.providers import set_provider_status
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        set_provider_status(database, counterparty_id, "suspended")
    emit({"counterpartyId": counterparty_id, "status": "suspended"}, as_json)


@app.command("resume")
def resume(
    counterparty_id: CounterpartyId,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Accept bets of a suspended provider again.

    Bets that were refused meanwhile remain refused.
    """
    from models.directory.providers import set_provider_status
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        set_provider_status(database, counterparty_id, "active")
    emit({"counterpartyId": counterparty_id, "status": "active"}, as_json)


@app.command("list")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all providers, oldest first."""
    from models.reports.parties import list_providers
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        found = list_providers(database)
    emit_list({}, "providers", (_row(provider) for provider in found), as_json)


@app.command("show")
def show(
    counterparty_id: CounterpartyId, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Show a provider with its house accounts.

    This includes the ages of its secrets, but no secret.
    """
    from models.reports.parties import show_provider
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        found = show_provider(database, counterparty_id)
    secrets: list[dict[str, object]] = [
        {
            "secretId": str(secret.secret_id),
            "createdAt": secret.created_at,
            "revokedAt": secret.revoked_at,
        }
        for secret in found.secrets
    ]
    accounts: list[dict[str, object]] = [
        {"accountId": str(account.account_id), "currency": account.currency}
        for account in found.accounts
    ]
    fields = _row(found.provider) | {
        "rate": found.limits.rate_max,
        "gamesSyncedAt": found.games_synced_at,
        "gamesTrouble": found.games_trouble,
    }
    lists: dict[str, list[dict[str, object]]] = {
        "secrets": secrets,
        "accounts": accounts,
        "networks": [{"network": network} for network in found.networks],
        "wins": provider_rules.win_rows(found.limits),
    }
    emit_lists(fields, lists, as_json, provider_rules.UNLIMITED)


def _row(provider: "ListedProvider") -> dict[str, object]:
    return {
        "counterpartyId": provider.counterparty_id,
        "name": provider.name,
        "status": provider.status,
        "locked": provider.locked,
        "activeSecrets": provider.active_secrets,
        "createdAt": provider.created_at,
        "url": provider.url,
    }
