"""What commands print, on terminals that cannot show it, and when nobody can read it."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.terminal.options import emit_list

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "betcore_launcher.py"
NAME = "Zürich → 😀 \udcff"  # with a byte that is no UTF-8, as a file name may have
PRINTING = f"""
import csv, sys, typer
from models.exact_json import exact_json
from ops.terminal.output import print_anything
print_anything()
typer.echo(exact_json({{"name": {NAME!a}}}))
csv.writer(sys.stdout, lineterminator="\\n").writerow([{NAME!a}])
print({NAME!a}, file=sys.stderr)
"""
NO_UTF8 = {"LC_ALL": "C", "LANG": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ESCAPED = r"Z\u00fcrich \u2192 \ud83d\ude00 \udcff"


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python with these variables, and without any other that affects printing."""
    named = ("LC_", "LANG", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(named)}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=kept | environment, capture_output=True
    )


@pytest.mark.parametrize(
    ("environment", "encoding", "shown"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, "utf-8", r"Zürich → 😀 \udcff"),
        ({"PYTHONIOENCODING": "ascii"}, "ascii", ESCAPED),
        ({"PYTHONIOENCODING": "ascii:strict"}, "ascii", ESCAPED),
        ({"PYTHONIOENCODING": "latin-1"}, "latin-1", ESCAPED.replace(r"\u00fc", "ü")),
        ({"PYTHONIOENCODING": "cp1252"}, "cp1252", ESCAPED.replace(r"\u00fc", "ü")),
        (NO_UTF8, "ascii", ESCAPED),
    ],
    ids=str,
)
def test_what_a_terminal_cannot_show_is_escaped_and_a_document_stays_the_same(
    environment: dict[str, str], encoding: str, shown: str
) -> None:
    printed = run("-c", PRINTING, **environment)

    assert printed.returncode == 0, printed.stderr
    document, row = printed.stdout.decode(encoding).splitlines()
    assert json.loads(document)["name"] == NAME
    assert next(csv.reader(io.StringIO(row))) == [shown]
    assert printed.stderr.decode(encoding) == f"{shown}\n"


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, NO_UTF8], ids=str)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["session", "open", "--help"], 0),
        (["é→😀"], 2),
        (["migrate", "--data-dir", "é→😀"], 1),
    ],
    ids=str,
)
def test_help_and_failures_are_plain_ascii_on_a_terminal_that_has_no_more(
    environment: dict[str, str], arguments: list[str], code: int
) -> None:
    printed = run(str(LAUNCHER), *arguments, **environment)

    assert printed.returncode == code
    assert (printed.stdout + printed.stderr).isascii()
    assert b"Traceback" not in printed.stderr


@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stdout_or_stderr_stops_nothing_and_no_file_takes_its_number(
    closing: str, tmp_path: Path
) -> None:
    program = (
        "from ops.terminal.output import print_anything; import sys; print_anything(); print('x'); "
        f"f = open({str(tmp_path / 'file')!r}, 'w'); assert f.fileno() > 2; "
        "print('y', file=sys.stderr)"
    )
    shell = ["sh", "-c", f'"$0" "$@" {closing}', sys.executable, "-c", program]

    assert subprocess.run(shell, cwd=ROOT).returncode == 0
    assert (tmp_path / "file").read_text() == ""


def test_a_reader_that_goes_away_ends_a_command_quietly() -> None:
    shell = f'"{sys.executable}" "{LAUNCHER}" session open --help | head -1'

    shown = subprocess.run(["sh", "-c", shell], capture_output=True, text=True)

    assert shown.stdout == "Usage: betcore session open [OPTIONS]\n"
    assert shown.stderr == ""


def test_people_read_yes_and_no_and_an_empty_list_says_that_it_is_empty(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emit_list({"locked": True, "suspended": False}, "bets", [], as_json=False)
    emit_list({}, "providers", [], as_json=False)
    assert (
        capsys.readouterr().out == "locked     yes\nsuspended  no\n\nbets: none\nproviders: none\n"
    )

    emit_list({"locked": True}, "bets", [], as_json=True)
    assert capsys.readouterr().out == '{"locked": true, "bets": []}\n'
