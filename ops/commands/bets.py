"""`betcore bet`: what became of a bet."""

from typing import Annotated, Any

import typer

from models.db import transaction
from models.show import ShownBet, show_bet
from ops.database import database_failures
from ops.documents import exact_json, table, text
from ops.options import DEFAULT_DATA_DIR, AsJson, DataDir, emit, find_settings

app = typer.Typer(help="Bets: one stake and its outcome.", no_args_is_help=True)

BetId = Annotated[str, typer.Argument(help="The provider's betId.")]
Provider = Annotated[str, typer.Option(help="The provider's counterparty id.")]


@app.command("show")
def show(
    bet_id: BetId,
    provider: Provider,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show a bet with its transfers."""
    settings = find_settings(data_dir)
    with database_failures(), transaction(settings.database_url) as database:
        document = _document(show_bet(database, provider, bet_id))
    if as_json:
        typer.echo(exact_json(document))
        return
    transfers = document.pop("transfers")
    emit({name: text(value) for name, value in document.items()}, as_json)
    if transfers:
        typer.echo("\n" + table(list(transfers[0]), [list(row.values()) for row in transfers]))


def _document(bet: ShownBet) -> dict[str, Any]:
    """The bet by the names it has on the wire; ids are text, amounts exact."""
    return {
        "betId": bet.bet_id,
        "provider": bet.provider,
        "state": bet.state,
        "openedBy": bet.opened_by,
        "betAmount": bet.stake,
        "winAmount": bet.win,
        "winOdd": bet.odd,
        "gameRoundId": bet.round_id,
        "currency": bet.currency,
        "accountId": str(bet.account_id),
        "sessionId": bet.session_id,
        "refusedWith": bet.refused_with,
        "createdAt": bet.created_at,
        "updatedAt": bet.updated_at,
        "transfers": [
            {
                "transferId": str(transfer.transfer_id),
                "kind": transfer.kind,
                "amount": transfer.amount,
                "debitAccount": str(transfer.debit_account),
                "creditAccount": str(transfer.credit_account),
                "balanceAfter": transfer.balance_after,
                "createdAt": transfer.created_at,
            }
            for transfer in bet.transfers
        ],
    }
