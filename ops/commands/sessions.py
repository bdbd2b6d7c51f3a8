"""`betcore session`: opens sessions for players, with money if wanted, and closes them."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from models.money import read_amount
from ops.documents import exact_json, table, utc
from ops.options import (
    DEFAULT_DATA_DIR,
    AsJson,
    DataDir,
    chosen_reference,
    emit,
    find_settings,
)

if TYPE_CHECKING:
    from models.sessions import Opened, Opening
    from settings import Settings

app = typer.Typer(help="Sessions: one launch of one game for one player.", no_args_is_help=True)

Provider = Annotated[str, typer.Option(help="The provider's counterparty id.")]
Player = Annotated[str, typer.Option(help="The player's id in your own system; made when new.")]
Currency = Annotated[str, typer.Option(help="The currency's code, such as EUR.")]
Amount = Annotated[
    str | None, typer.Option("--deposit", help="Money to put into the account, once a reference.")
]
Reference = Annotated[
    str | None,
    typer.Option(help="Names the deposit, so that repeating it does nothing; made when not given."),
]
MinBet = Annotated[str | None, typer.Option(help="Smallest stake, other than 0; none by default.")]
MaxBet = Annotated[str | None, typer.Option(help="Largest stake; none by default.")]
Minutes = Annotated[
    int, typer.Option("--ttl-minutes", min=1, max=366 * 24 * 60, help="How long it lasts.")
]
Count = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100_000,
        help="Open one for each of so many players, PLAYER-1 …; references get -1 … as well.",
    ),
]
SessionId = Annotated[str, typer.Argument(help="The session's id.")]


@app.command("open")
def open_(
    provider: Provider,
    player: Player,
    currency: Currency,
    deposit: Amount = None,
    reference: Reference = None,
    min_bet: MinBet = None,
    max_bet: MaxBet = None,
    ttl_minutes: Minutes = 240,
    count: Count = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Open a session for a player, with money if wanted; the same again means the same account.

    A deposit is made first: without it no session is opened, and the same command with the same
    reference deposits nothing twice.
    """
    from models.db import transaction
    from models.sessions import Opening, open_sessions
    from ops.database import database_failures

    if reference is not None and deposit is None:
        raise typer.BadParameter("--reference names a deposit: give --deposit, too.")
    settings = find_settings(data_dir)
    opening = Opening(
        counterparty_id=provider,
        currency=currency,
        min_bet=_limit(min_bet, "min-bet"),
        max_bet=_limit(max_bet, "max-bet"),
        lasts=timedelta(minutes=ttl_minutes),
    )
    players = _numbered(player, count)
    if deposit is not None and read_amount(deposit, "deposit"):
        references = _numbered(chosen_reference(reference), count)
        _deposit(settings, opening, players, deposit, references)
    with database_failures(), transaction(settings.database_url) as database:
        opened = open_sessions(database, opening, players)
    _show(players, opened, as_json)


@app.command("close")
def close(
    session_id: SessionId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Close a session: no new bet is taken in it from now on; what is owed is still paid."""
    from models.sessions import close_session
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        closed_at = close_session(database, session_id)
    emit({"sessionId": session_id, "closedAt": utc(closed_at)}, as_json)


def _limit(amount: str | None, name: str) -> Decimal | None:
    return None if amount is None else read_amount(amount, name)


def _numbered(name: str, count: int | None) -> list[str]:
    return [name] if count is None else [f"{name}-{k}" for k in range(1, count + 1)]


def _deposit(
    settings: "Settings",
    opening: "Opening",
    players: Sequence[str],
    amount: str,
    references: Sequence[str],
) -> None:
    """Make the accounts and the deposits into them; when anything cannot be read, nothing."""
    from models.commands import Deposit, read_text
    from models.db import transaction
    from models.sessions import open_accounts
    from ops.cash import book
    from ops.database import database_failures

    with database_failures(), transaction(settings.database_url) as database:
        accounts = open_accounts(database, opening, players)
        deposits = [
            Deposit(
                account_id=account.account_id,
                reference=read_text(reference, "reference"),
                amount=read_amount(amount, "deposit", account.decimals),
            )
            for account, reference in zip(accounts, references, strict=True)
        ]
    book(settings, deposits)


def _show(players: Sequence[str], opened: "Sequence[Opened]", as_json: bool) -> None:
    rows = [(one.session_id, str(one.account_id), one.balance) for one in opened]
    if not as_json:
        titles = ("player", "sessionId", "accountId", "balance")
        typer.echo(table(titles, [(name, *row) for name, row in zip(players, rows, strict=True)]))
        return
    for session_id, account_id, balance in rows:
        document = {"sessionId": session_id, "accountId": account_id, "balance": balance}
        typer.echo(exact_json(document))
