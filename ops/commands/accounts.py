"""`betcore account`: the transfers of a player's account, a house account or the cash account."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.terminal.options import (
    AsCsv,
    AsJson,
    DataDir,
    Limit,
    Since,
    Until,
    emit_csv,
    emit_list,
    find_settings,
    require_one_form,
    require_period,
)

if TYPE_CHECKING:
    from models.reports.statement import Statement, StatementLine

app = typer.Typer(help="Accounts: money of one owner in one currency.", no_args_is_help=True)

_TITLES = (
    *("createdAt", "kind", "amount", "balanceAfter", "betId", "reference", "provider"),
    "transferId",
)

AccountId = Annotated[
    int | None,
    typer.Argument(
        min=1,
        help="The account's id: see `player show`, `provider show` or `bet show`.",
        show_default=False,
    ),
]
Player = Annotated[
    str | None, typer.Option(help="A player's account, by your own id; needs --currency.")
]
House = Annotated[
    str | None,
    typer.Option(
        metavar="PROVIDER",
        help="The house account of a provider, by its counterparty id; needs --currency.",
    ),
]
Cash = Annotated[
    bool, typer.Option("--cash", help="The cash account of all deposits; needs --currency.")
]
Currency = Annotated[str | None, typer.Option(help="The currency's code, such as EUR.")]


@app.command("statement")
def statement(
    account_id: AccountId = None,
    player: Player = None,
    house: House = None,
    cash: Cash = False,
    currency: Currency = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    as_csv: AsCsv = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show every transfer of an account, oldest first.

    Each has the balance after it. Name the account by its id, or by --player, --house or --cash
    with --currency. With --limit only the newest transfers are shown.
    """
    from models.database.failures import database_failures
    from models.reports.statement import Period, read_statement

    require_one_form(as_csv, as_json)
    require_period(since, until)
    if sum((account_id is not None, player is not None, house is not None, cash)) != 1:
        raise typer.BadParameter("name one account: by its id, or by --player, --house or --cash")
    if (account_id is None) != (currency is not None):
        raise typer.BadParameter(
            "--player, --house and --cash need --currency; an account id excludes it"
        )
    settings = find_settings(data_dir)
    wanted = account_id or _find(data_dir, player, house, currency or "")
    with database_failures():
        found = read_statement(settings.database_url, wanted, Period(since, until), limit)
        rows = (_row(line) for line in found.lines)
        if as_csv:
            emit_csv(_TITLES, rows)
        else:
            emit_list(_head(found), "transfers", rows, as_json)


def _find(data_dir: Path | None, player: str | None, house: str | None, currency: str) -> int:
    from models.directory.accounts import find_account
    from models.reports.parties import find_cash_account, find_house_account
    from ops.database import ledger_of

    with ledger_of(data_dir) as database:
        if player is not None:
            return find_account(database, player, currency).account_id
        if house is not None:
            return find_house_account(database, house, currency)
        return find_cash_account(database, currency)


def _head(found: "Statement") -> dict[str, object]:
    return {
        "accountId": str(found.account_id),
        "kind": found.kind,
        "owner": found.owner,
        "currency": found.currency,
        "openingBalance": found.opening_balance,
        "balance": found.closing_balance,
    }


def _row(line: "StatementLine") -> dict[str, object]:
    cells = (
        line.created_at,
        line.kind,
        line.amount,
        line.balance_after,
        line.bet_id,
        line.reference,
        line.provider,
        str(line.transfer_id),
    )
    return dict(zip(_TITLES, cells, strict=True))
