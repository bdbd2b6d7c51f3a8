"""`betcore account`: what has happened to a player's money."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.options import DEFAULT_DATA_DIR, AsJson, DataDir, Limit, emit_list, find_settings

if TYPE_CHECKING:
    from models.statement import StatementLine

app = typer.Typer(help="Accounts: a player's money in one currency.", no_args_is_help=True)

AccountId = Annotated[
    int, typer.Argument(min=1, help="The account's id, as `player deposit` and `bet show` tell it.")
]


@app.command("statement")
def statement(
    account_id: AccountId,
    limit: Limit = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show every transfer of a player's account.

    The oldest comes first, each with the balance after it; with --limit only the newest are shown.
    """
    from models.statement import read_statement
    from ops.database import database_failures

    settings = find_settings(data_dir)
    with database_failures():
        found = read_statement(settings.database_url, account_id, limit)
        account = {
            "accountId": str(found.account_id),
            "currency": found.currency,
            "balance": found.balance,
        }
        emit_list(account, "transfers", (_row(line) for line in found.lines), as_json)


def _row(line: "StatementLine") -> dict[str, object]:
    return {
        "createdAt": line.created_at,
        "kind": line.kind,
        "amount": line.amount,
        "balanceAfter": line.balance_after,
        "betId": line.bet_id,
        "reference": line.reference,
        "provider": line.provider,
        "transferId": str(line.transfer_id),
    }
