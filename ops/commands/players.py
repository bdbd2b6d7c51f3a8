"""`betcore player`: who may play, and players' deposits and withdrawals."""

from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ops.terminal.options import (
    AsJson,
    DataDir,
    Limit,
    Note,
    chosen_reference,
    emit,
    emit_list,
    find_settings,
)

if TYPE_CHECKING:
    from models.commands import CashCommand
    from models.reports.parties import ListedPlayer

app = typer.Typer(help="Players: who may play, and their money.", no_args_is_help=True)

ExternalId = Annotated[str, typer.Argument(help="The player's id in your own system.")]
Currency = Annotated[str, typer.Option(help="The currency's code, such as EUR.")]
Amount = Annotated[str, typer.Option(help="How much, above 0.")]
Reference = Annotated[
    str | None,
    typer.Option(help="Name of the transfer: a repeat moves nothing. Made if not given."),
]


Status = Annotated[
    Literal["active", "blocked"] | None, typer.Option(help="Only players with this status.")
]


@app.command("list")
def list_(
    status: Status = None,
    limit: Limit = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List players, oldest first."""
    from models.database.failures import database_failures
    from models.reports.parties import list_players

    settings = find_settings(data_dir)
    with database_failures():
        found = islice(list_players(settings.database_url, status), limit)
        emit_list({}, "players", (_row(player) for player in found), as_json)


@app.command("show")
def show(external_id: ExternalId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show a player with the account and balance in each currency."""
    from models.reports.parties import show_player
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        found = show_player(database, external_id)
    accounts = [
        {
            "accountId": str(account.account_id),
            "currency": account.currency,
            "balance": account.balance,
        }
        for account in found.accounts
    ]
    emit_list(_row(found.player), "accounts", accounts, as_json)


@app.command("block")
def block(
    external_id: ExternalId,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Stop new bets of a player.

    Open bets are still settled and refunded.
    """
    from models.directory.accounts import set_player_status
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        set_player_status(database, external_id, "blocked")
    emit({"player": external_id, "status": "blocked"}, as_json)


@app.command("unblock")
def unblock(
    external_id: ExternalId,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let a blocked player bet again.

    Bets that were refused meanwhile remain refused.
    """
    from models.directory.accounts import set_player_status
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        set_player_status(database, external_id, "active")
    emit({"player": external_id, "status": "active"}, as_json)


@app.command("deposit")
def deposit(
    external_id: ExternalId,
    currency: Currency,
    amount: Amount,
    reference: Reference = None,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put money into a player's account.

    This happens once per reference. A player or account that does not exist yet is made.
    """
    from models.commands import Deposit

    emit(_book(data_dir, note, Deposit, (external_id, currency, amount), reference), as_json)


@app.command("withdraw")
def withdraw(
    external_id: ExternalId,
    currency: Currency,
    amount: Amount,
    reference: Reference = None,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take money out of a player's account.

    This happens once per reference, and only if the balance covers it.
    """
    from models.commands import Withdrawal

    emit(_book(data_dir, note, Withdrawal, (external_id, currency, amount), reference), as_json)


def _row(player: "ListedPlayer") -> dict[str, object]:
    return {"player": player.player, "status": player.status, "createdAt": player.created_at}


def _book(
    data_dir: Path | None,
    note: str | None,
    kind: "type[CashCommand]",
    movement: tuple[str, str, str],
    reference: str | None,
) -> dict[str, object]:
    """Move the money and return the outcome. Nothing is made if any input is invalid.

    `movement` is the player, the currency and the amount.
    """
    from broker.cash import book
    from models.directory.accounts import order_cash
    from ops.database import changes_of
    from ops.keys import operator_settings

    settings = operator_settings(data_dir)
    name = chosen_reference(reference)
    with changes_of(data_dir, note) as database:
        command = order_cash(database, kind, *movement, name)
    (result,) = book(settings, [command])
    return {
        "accountId": str(command.account_id),
        "transferId": result["ids"][0],
        "reference": name,
        "balance": Decimal(result["balance"]),
    }
