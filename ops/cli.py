"""The `betcore` command line: every command, and how failures are shown."""

from typing import Annotated, NoReturn

import typer

from ops.commands import (
    accounts,
    audit,
    bets,
    currencies,
    ledger,
    players,
    providers,
    reports,
    serve,
    sessions,
)
from ops.commands.reconcile import reconcile
from ops.commands.up import up
from ops.failures import FAILURES, in_one_line
from ops.leash import end_with

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    # A traceback with the values of variables would show secrets.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# What every child of `betcore up` is started with.
Parent = Annotated[int | None, typer.Option("--with-parent", hidden=True)]


@app.callback(invoke_without_command=True)
def betcore(context: typer.Context, parent: Parent = None) -> None:
    """A queue-backed transaction processor for bets, between game studios and casinos."""
    if parent is not None:
        end_with(parent)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(up)
for command in (serve.migrate, serve.gateway, serve.worker, serve.dashboard):
    app.command()(command)
for name, group in {
    "provider": providers.app,
    "player": players.app,
    "session": sessions.app,
    "account": accounts.app,
    "bet": bets.app,
    "ledger": ledger.app,
    "currency": currencies.app,
    "audit": audit.app,
    "report": reports.app,
}.items():
    app.add_typer(group, name=name)
app.command()(reconcile)


def main() -> NoReturn:
    """Run the command of the arguments; a failure is one line on stderr and exit code 1."""
    try:
        app(prog_name="betcore")
    except FAILURES as failure:
        typer.echo(f"betcore: {in_one_line(failure)}", err=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
