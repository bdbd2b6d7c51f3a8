"""`betcore --help` lists exactly the commands that exist, and imports no more than it needs."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from ops.cli import COMMANDS, app

ROOT = Path(__file__).parents[2]
# Each takes a tenth of a second or more to import.
HEAVY = {
    *("alembic", "flask", "httptools", "pydantic", "pydantic_settings", "psycopg", "redis"),
    *("rq", "sqlalchemy", "sqlmodel", "starlette", "uvicorn", "uvloop"),
}
REPORTING = """
import atexit, sys
from ops.cli import main
atexit.register(lambda: print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr))
main()
"""


@pytest.fixture(scope="module")
def context() -> typer.Context:
    """What typer hands to the methods of a group."""
    return typer.Context(get_command(app))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_each_command_what_its_own_help_says(
    name: str, context: typer.Context
) -> None:
    command = get_command(app).get_command(context, name)  # type: ignore[attr-defined]

    assert command.name == name
    assert COMMANDS[name][1] == command.get_short_help_str(limit=66)  # one line of 80 characters


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([name, "--help"] for name in COMMANDS),
        ["bet", "show", "--help"],
        ["provider", "secret", "add", "--help"],
    ],
    ids=" ".join,
)
def test_help_imports_no_library_that_takes_long(arguments: list[str]) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", REPORTING, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout.startswith("Usage: betcore")
    assert HEAVY & set(shown.stderr.split()) == set()


def test_a_gateway_imports_nothing_that_only_the_portal_needs() -> None:
    """Each start of a process pays for its imports: SQLAlchemy's take as long as all others."""
    asked = "import sys, ops.process.gateway; print({'sqlalchemy', 'jinja2'} & set(sys.modules))"

    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert found.stdout == "set()\n"
