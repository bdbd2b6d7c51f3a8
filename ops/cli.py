"""The `betcore` command line: its commands, and how it reports failures."""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_group

from ops.terminal.failures import failures, in_one_line
from ops.terminal.output import print_anything

#: Every command, in the order of `betcore --help`. Each has the module and name of its function or
#: group, and its help in one line. The line is here so that the list imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("ops.commands.up:up", "Run everything here until Ctrl-C, and show one bet."),
    "migrate": ("ops.commands.processes:migrate", "Migrate the database to the newest schema."),
    "settings": ("ops.commands.settings:show", "Show every setting, its source and its meaning."),
    "backup": ("ops.commands.backup:backup", "Copy the embedded PostgreSQL into a folder."),
    "restore": ("ops.commands.backup:restore", "Make a data folder from a backup."),
    "housekeeping": ("ops.commands.housekeeping:housekeeping", "Do what is to be done regularly."),
    "gateway": ("ops.commands.processes:gateway", "Serve the HTTP API until SIGTERM."),
    "worker": ("ops.commands.processes:worker", "Process bets from the queue until SIGTERM."),
    "portal": (
        "ops.commands.processes:portal",
        "Serve operator API and console until SIGTERM.",
    ),
    "dashboard": ("ops.commands.processes:dashboard", "Serve the RQ dashboard until SIGTERM."),
    "healthy": ("ops.commands.processes:healthy", "Exit with 0 if a process of this host works."),
    "reconcile": (
        "ops.commands.reconcile:reconcile",
        "Compare a provider's own list of bets with ours.",
    ),
    "provider": ("ops.commands.providers:app", "Providers: the companies that run the games."),
    "player": ("ops.commands.players:app", "Players: who may play, and their money."),
    "games": ("ops.commands.games:app", "Games: what providers offer."),
    "session": ("ops.commands.sessions:app", "Sessions: one launch of one game for one player."),
    "account": ("ops.commands.accounts:app", "Accounts: money of one owner in one currency."),
    "bet": ("ops.commands.bets:app", "Bets: one stake and its outcome."),
    "ledger": ("ops.commands.ledger:app", "The ledger: every transfer of money."),
    "currency": (
        "ops.commands.currencies:app",
        "Currencies: add any that ISO 4217 does not have.",
    ),
    "operator": ("ops.commands.operators:app", "The operator API: its keys."),
    "console": ("ops.commands.console:app", "The console: its users."),
    "queue": ("ops.commands.queue:app", "RQ's queue: show its state, suspend, resume, requeue."),
    "audit": ("ops.commands.audit:app", "The audit log: everything that operators have done."),
    "report": ("ops.commands.reports:app", "Reports: totals over all bets."),
}


class Table(Mapping[str, Any]):
    """The commands by name. A command's module is imported when the command is looked up."""

    def __getitem__(self, name: str) -> Any:
        """Return the command. Raises KeyError."""
        module, _, attribute = COMMANDS[name][0].partition(":")
        found = getattr(import_module(module), attribute)
        one = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            one.add_typer(found, name=name)
        else:
            one.command(name)(found)
        return get_group(one).commands[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order of the help."""
        return iter(COMMANDS)

    def __len__(self) -> int:
        """Return the number of commands."""
        return len(COMMANDS)


class Commands(TyperGroup):
    """`betcore` itself. Its help, and that of every command, imports as little as possible."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Table()  # type: ignore[assignment]  # typer only reads it

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Called by typer. Returns None if there is no such command."""
        command = super().get_command(ctx, cmd_name)
        return None if command is None else _with_light_help(command, ctx)

    def get_help_option(self, ctx: Any) -> Any:
        """Called by typer."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False  # as in `_with_light_help`
        return option

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Called by typer to show the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _with_light_help(command: Any, ctx: Any) -> Any:
    """Return the group or command, changed so that its help does not need pydantic.

    Typer converts every value that is not a boolean with pydantic, whose import takes 0.2 s. A
    `--help` that was not given has the value None, unless this default is set.
    """
    command.get_help_option(ctx).default = False
    for inner in getattr(command, "commands", {}).values():
        _with_light_help(inner, ctx)
    return command


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    # A traceback with the values of variables would show secrets.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def betcore(context: typer.Context) -> None:
    """A queue-backed transaction processor for bets, between game studios and casinos."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> NoReturn:
    """Run the command of the arguments. A failure is one line on stderr and exit code 1."""
    print_anything()
    try:
        app(_leashed(sys.argv[1:]), prog_name="betcore")
    except Exception as error:
        if not isinstance(error, failures()):
            raise
        typer.echo(f"betcore: {in_one_line(error)}", err=True)
    raise SystemExit(1)


def _leashed(arguments: list[str]) -> list[str]:
    """Return the arguments without `--with-parent PID`, which `betcore up` gives its children."""
    if arguments[:1] != ["--with-parent"]:
        return arguments
    from ops.process.leash import end_with

    end_with(int(arguments[1]))
    return arguments[2:]


if __name__ == "__main__":
    main()
