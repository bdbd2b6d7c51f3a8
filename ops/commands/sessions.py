"""`betcore session`: opens sessions, with an optional deposit, and shows and closes them."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from models.money import read_amount
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
    from models.audit.log import Author
    from models.directory.sessions import Opened, Opening
    from models.reports.parties import ShownSession
    from settings import Settings

app = typer.Typer(help="Sessions: one launch of one game for one player.", no_args_is_help=True)

Provider = Annotated[str, typer.Option(help="The provider's counterparty id.")]
Player = Annotated[str, typer.Option(help="The player's id in your own system; made if new.")]
Currency = Annotated[str, typer.Option(help="The currency's code, such as EUR.")]
Amount = Annotated[
    str | None, typer.Option("--deposit", help="Amount to deposit, once per reference.")
]
Reference = Annotated[
    str | None,
    typer.Option(help="Name of the deposit: a repeat moves nothing. Made if not given."),
]
MinBet = Annotated[str | None, typer.Option(help="Smallest stake above 0; default: no limit.")]
MaxBet = Annotated[str | None, typer.Option(help="Largest stake; default: no limit.")]
Minutes = Annotated[
    int, typer.Option("--ttl-minutes", min=1, max=366 * 24 * 60, help="How long it lasts.")
]
Game = Annotated[str | None, typer.Option(help="The game, by the provider's own name.")]
Language = Annotated[str | None, typer.Option(help="The player's language, such as en or pt-BR.")]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="Close the open sessions that the player has at this provider in this currency.",
    ),
]
Mode = Annotated[
    Literal["real", "demo"],
    typer.Option(help="demo: with play money, in an account of its own."),
]
NoLaunch = Annotated[
    bool, typer.Option("--no-launch", help="Do not launch the game, although there is a URL.")
]
Count = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100_000,
        help="Open one for each of this many players, PLAYER-1 …; references get -1 … too.",
    ),
]
OfPlayer = Annotated[
    str | None, typer.Option("--player", help="Only sessions of this player, by your own id.")
]
OfProvider = Annotated[
    str | None,
    typer.Option("--provider", help="Only sessions of this provider, by its counterparty id."),
]
OpenOnly = Annotated[bool, typer.Option("--open", help="Only sessions that accept bets now.")]
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
    game: Game = None,
    language: Language = None,
    replace: Replace = False,
    mode: Mode = "real",
    no_launch: NoLaunch = False,
    count: Count = None,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Open a session for a player, with an optional deposit, and launch its game.

    A repeat opens a session for the same account. With --replace, the player's sessions of this
    provider and currency accept no new bets from then on. The deposit is made first: if it fails,
    no session is opened. The same command with the same reference deposits nothing twice.
    A game is launched if its provider has a URL. If that fails, the session is closed.
    """
    from models.directory.sessions import DEMO, Opening
    from ops.author import author_of
    from ops.keys import operator_settings

    _require_consistent(mode, deposit, reference)
    settings = find_settings(data_dir)
    author, lasts = author_of(settings, note), timedelta(minutes=ttl_minutes)
    limits = (_limit(min_bet, "min-bet"), _limit(max_bet, "max-bet"))
    opening = Opening(provider, currency, *limits, lasts, game, language, mode, replace=replace)
    players = _numbered(player, count)
    if deposit is not None and read_amount(deposit, "deposit"):
        settings = operator_settings(data_dir)
        references = _numbered(chosen_reference(reference), count)
        _deposit(settings, author, opening, players, deposit, references)
    if mode == DEMO:
        _give_play_money(operator_settings(data_dir), author, opening, players)
    opened, launched = _open(settings, author, opening, players, no_launch=no_launch, count=count)
    rows = [_opened_row(name, one) for name, one in zip(players, opened, strict=True)]
    if launched:
        rows[0]["frameUri"] = _launch(settings, data_dir, author, opened[0].session_id)
    if count is None and as_json:
        emit(rows[0], as_json)
    else:
        emit_list({}, "sessions", rows, as_json)


def _open(
    settings: "Settings",
    author: "Author",
    opening: "Opening",
    players: Sequence[str],
    *,
    no_launch: bool,
    count: int | None,
) -> "tuple[list[Opened], bool]":
    """The sessions, and whether the game of the only one is launched."""
    from models.audit.log import operation
    from models.database.failures import database_failures
    from models.directory.launches import is_launched
    from models.directory.sessions import open_sessions

    with database_failures(), operation(settings.database_url, author) as database:
        wanted = is_launched(database, opening.counterparty_id, opening.game)
        launched = wanted and not no_launch
        if launched and count is not None:
            raise typer.BadParameter("--count launches no games: add --no-launch")
        return open_sessions(database, opening, players), launched


def _require_consistent(mode: str, deposit: str | None, reference: str | None) -> None:
    if mode == "demo" and deposit is not None:
        raise typer.BadParameter("a demo takes no deposit: it begins with play money.")
    if reference is not None and deposit is None:
        raise typer.BadParameter("--reference names a deposit: give --deposit, too.")


@app.command("list")
def list_(
    player: OfPlayer = None,
    provider: OfProvider = None,
    open_only: OpenOnly = False,
    limit: Limit = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List sessions, newest first."""
    from models.database.failures import database_failures
    from models.reports.parties import list_sessions

    settings = find_settings(data_dir)
    with database_failures():
        found = list_sessions(
            settings.database_url,
            player=player,
            counterparty_id=provider,
            open_only=open_only,
        )
        rows = (_session_row(session) for session in islice(found, limit))
        emit_list({}, "sessions", rows, as_json)


@app.command("show")
def show(session_id: SessionId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show a session.

    This includes its player and provider, its limits, and whether it accepts bets.
    """
    from models.reports.parties import show_session
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        found = show_session(database, session_id)
    emit(_session_row(found), as_json)


@app.command("extend")
def extend(
    session_id: SessionId,
    ttl_minutes: Minutes = 240,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let an open session last for so long from now. It never ends earlier than before."""
    from models.directory.sessions import extend_session
    from models.times import utc
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        expires_at = extend_session(database, session_id, timedelta(minutes=ttl_minutes))
    emit({"sessionId": session_id, "expiresAt": utc(expires_at)}, as_json)


@app.command("close")
def close(
    session_id: SessionId,
    note: Note = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Close a session: it accepts no new bets. Open bets are still settled and refunded."""
    from models.directory.sessions import close_session
    from models.times import utc
    from ops.database import changes_of

    with changes_of(data_dir, note) as database:
        closed_at = close_session(database, session_id)
    emit({"sessionId": session_id, "closedAt": utc(closed_at)}, as_json)


def _limit(amount: str | None, name: str) -> Decimal | None:
    return None if amount is None else read_amount(amount, name)


def _numbered(name: str, count: int | None) -> list[str]:
    return [name] if count is None else [f"{name}-{k}" for k in range(1, count + 1)]


def _deposit(
    settings: "Settings",
    author: "Author",
    opening: "Opening",
    players: Sequence[str],
    amount: str,
    references: Sequence[str],
) -> None:
    """Make the accounts and the deposits into them. Nothing is made if any input is invalid."""
    from broker.cash import book
    from models.audit.log import operation
    from models.commands import Deposit, read_text
    from models.database.failures import database_failures
    from models.directory.accounts import request_cash
    from models.directory.sessions import open_accounts

    with database_failures(), operation(settings.database_url, author) as database:
        accounts = open_accounts(database, opening, players)
        deposits = [
            Deposit(
                account_id=account.account_id,
                reference=read_text(reference, "reference"),
                amount=read_amount(amount, "deposit", account.decimals),
            )
            for account, reference in zip(accounts, references, strict=True)
        ]
        for command in deposits:
            request_cash(database, command)
    book(settings, deposits)


def _give_play_money(
    settings: "Settings", author: "Author", opening: "Opening", players: Sequence[str]
) -> None:
    """Fill up the players' play money for a demo. No session is opened if that fails."""
    from broker.cash import book
    from models.audit.log import operation
    from models.database.failures import database_failures
    from models.directory.demo import order_play_money

    with database_failures(), operation(settings.database_url, author) as database:
        deposits = order_play_money(database, opening, players, settings.demo_balance)
    book(settings, deposits)


def _launch(settings: "Settings", data_dir: Path | None, author: "Author", session_id: str) -> str:
    """Launch the game of a session. If that fails, the session is closed."""
    import asyncio

    from ops.keys import secret_cipher
    from outbound.client import Outbound
    from outbound.launch import launch_session

    cipher = secret_cipher(data_dir)
    of = (settings.database_url, cipher, author, session_id)
    return asyncio.run(launch_session(Outbound(settings), *of))


def _opened_row(player: str, opened: "Opened") -> dict[str, object]:
    return {
        "player": player,
        "sessionId": opened.session_id,
        "accountId": str(opened.account_id),
        "balance": opened.balance,
        "expiresAt": opened.expires_at,
    }


def _session_row(session: "ShownSession") -> dict[str, object]:
    return {
        "sessionId": session.session_id,
        "state": session.state,
        "provider": session.provider,
        "player": session.player,
        "accountId": str(session.account_id),
        "currency": session.currency,
        "minBet": session.min_bet,
        "maxBet": session.max_bet,
        "openedAt": session.opened_at,
        "expiresAt": session.expires_at,
        "closedAt": session.closed_at,
        "game": session.game,
        "language": session.language,
        "mode": session.mode,
    }
