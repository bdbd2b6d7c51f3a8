"""`betcore bet`: one bet with its transfers, its life, and the search of bets."""

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from models.exact_csv import plain_text
from ops.terminal.durations import read_duration
from ops.terminal.options import AsJson, DataDir, Limit, emit_list, emit_lists, find_settings

if TYPE_CHECKING:
    from models.reports.bet import ShownBet
    from models.reports.open_bets import OpenBet

app = typer.Typer(help="Bets: one stake and its outcome.", no_args_is_help=True)

BetId = Annotated[str, typer.Argument(help="The provider's betId.")]
Provider = Annotated[str, typer.Option(help="The provider's counterparty id.")]
AnyProvider = Annotated[str | None, typer.Option(help="The provider's counterparty id.")]
State = Annotated[
    Literal["open", "settled", "refunded", "rejected", "cancelled"] | None,
    typer.Option(help="Only bets in this state; of a provider alone only open bets are listed."),
]
ByBetId = Annotated[str | None, typer.Option("--bet-id", help="The provider's betId.")]
Transaction = Annotated[
    int | None, typer.Option("--transaction", min=1, help="The id of any transfer of the bet.")
]
Round = Annotated[str | None, typer.Option("--round", help="The gameRoundId.")]
Player = Annotated[str | None, typer.Option(help="The player's id in your own system.")]
Session = Annotated[str | None, typer.Option("--session", help="The session's id.")]
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
    provider: AnyProvider = None,
    bet_id: ByBetId = None,
    transaction: Transaction = None,
    round_id: Round = None,
    player: Player = None,
    session: Session = None,
    state: State = None,
    older_than: OlderThan = None,
    limit: Limit = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Search bets by transaction id, betId, round, player or session.

    With only a provider it lists bets that have no pay-out or refund yet, oldest first. A player's
    or session's rejected bets are listed by --state rejected.
    """
    from models.database.failures import database_failures
    from models.reports.bets import BetFilter, all_bets
    from models.reports.open_bets import list_open_bets

    settings = find_settings(data_dir)
    if provider is None or bet_id or transaction or round_id or player or session:
        ids = (provider, bet_id, transaction, session, round_id, player)
        wanted = BetFilter(*ids, state, older_than)
        with database_failures():
            found = islice(all_bets(settings.database_url, wanted), limit)
            emit_list({}, "bets", (bet.row() for bet in found), as_json)
        return
    if state not in (None, "open"):
        raise typer.BadParameter(f"of a provider alone only open bets are listed, not {state!r}")
    with database_failures():
        bets = list_open_bets(settings.database_url, provider, older_than or timedelta(0))
        rows = (_open_row(bet) for bet in islice(bets, limit))
        emit_list({"provider": provider, "state": "open"}, "bets", rows, as_json)


@app.command("life")
def life(
    bet_id: BetId,
    provider: Provider,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what happened to a bet, in order of time, and what vouches for it."""
    from models.reports.bet_life import bet_life
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        found = bet_life(database, provider, bet_id)
    bet = _document(found.bet)
    del bet["transfers"]
    bet |= {"player": found.session.player, "sessionState": found.session.state}
    events: list[dict[str, object]] = [
        {"at": one.at, "event": one.event, "facts": one.facts} for one in found.events
    ]
    if not as_json:
        for event, one in zip(events, found.events, strict=True):
            event["facts"] = ", ".join(
                f"{name}={plain_text(fact)}" for name, fact in one.facts.items()
            )
    journal: list[dict[str, object]] = [
        {"createdAt": row.created_at, "strand": str(row.strand), "number": row.number}
        for row in found.journal
    ]
    emit_lists(bet, {"events": events, "journal": journal}, as_json)


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
        "gameId": bet.game,
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
