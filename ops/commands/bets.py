"""`betcore bet`: one bet with its transfers, and the bets that are still open."""

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ops.terminal.durations import read_duration
from ops.terminal.options import AsJson, DataDir, Limit, emit_list, find_settings

if TYPE_CHECKING:
    from models.reports.bet import ShownBet
    from models.reports.open_bets import OpenBet

app = typer.Typer(help="Bets: one stake and its outcome.", no_args_is_help=True)

BetId = Annotated[str, typer.Argument(help="The provider's betId.")]
Provider = Annotated[str, typer.Option(help="The provider's counterparty id.")]
State = Annotated[
    Literal["open"],
    typer.Option(help="Only open bets can be listed: all others have reached their final state."),
]
OlderThan = Annotated[
    timedelta | None,
    typer.Option(
        parser=read_duration,
        metavar="DURATION",
        help="Only bets recorded at least this long ago, such as 90s, 15m, 24h or 7d.",
    ),
]


@app.command("show")
def show(
    bet_id: BetId,
    provider: Provider,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a bet with its transfers."""
    from models.reports.bet import show_bet
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        document = _document(show_bet(database, provider, bet_id))
    transfers = document.pop("transfers")
    emit_list(document, "transfers", transfers, as_json)


@app.command("list")
def list_(
    provider: Provider,
    state: State = "open",
    older_than: OlderThan = None,
    limit: Limit = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List bets that have no pay-out or refund yet, oldest first."""
    from models.database.failures import database_failures
    from models.reports.open_bets import list_open_bets

    settings = find_settings(data_dir)
    with database_failures():
        bets = list_open_bets(settings.database_url, provider, older_than or timedelta(0))
        rows = (_open_row(bet) for bet in islice(bets, limit))
        emit_list({"provider": provider, "state": state}, "bets", rows, as_json)


def _document(bet: "ShownBet") -> dict[str, Any]:
    """Return the bet with the field names of the API. Ids are text, amounts exact."""
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
        "reason": bet.reason,
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


def _open_row(bet: "OpenBet") -> dict[str, object]:
    return {
        "createdAt": bet.created_at,
        "betId": bet.bet_id,
        "gameRoundId": bet.round_id,
        "betAmount": bet.stake,
        "currency": bet.currency,
        "player": bet.player,
        "accountId": str(bet.account_id),
        "sessionId": bet.session_id,
    }
