"""The `betcore-kit` command line: its commands, and how it reports failures."""

from importlib import import_module
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_group

from betcore_kit.errors import KitError

#: Every command, in the order of the help: its module and function, and its help in one line.
#: A module is imported only when its command runs.
COMMANDS: dict[str, tuple[str, str]] = {
    "sign": ("betcore_kit.commands.sign:sign", "Sign a request, and show it as a curl command."),
    "explain": ("betcore_kit.commands.explain:explain", "Say why a signature does not match."),
    "conformance": (
        "betcore_kit.commands.conformance:conformance",
        "Check every promise of the protocol against a deployment.",
    ),
    "simulate": (
        "betcore_kit.commands.simulate:play",
        "Play rounds with faults, and compare the books.",
    ),
}


class Commands(TyperGroup):
    """`betcore-kit` itself. It finds commands in the table `COMMANDS`."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Called by typer."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Called by typer. Returns None if there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found = getattr(import_module(module), name)
        one = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            one.add_typer(found, name=cmd_name)
        else:
            one.command(cmd_name)(found)
        one.callback()(lambda: None)
        return get_group(one).commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Called by typer to show the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    # A traceback with the values of variables would show secrets.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def betcore_kit(context: typer.Context) -> None:
    """What a game provider needs to integrate with betcore."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> NoReturn:
    """Run the command of the arguments. A wrong input is one line on stderr and exit code 2."""
    try:
        app(prog_name="betcore-kit")
    except KitError as error:
        typer.echo(f"betcore-kit: {error}", err=True)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
