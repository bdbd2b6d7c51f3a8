"""Every `betcore` command that a page shows is one, with the options that the page gives it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from ops.cli import app
from tests.source import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SPAN = re.compile(r"`([^`]+)`", re.DOTALL)
FENCE = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_is_one(page: Path) -> None:
    faults = [fault for shown in _shown(page.read_text()) for fault in _faults(shlex.split(shown))]

    assert not faults, "\n".join(faults)


def test_a_command_that_is_none_is_noticed() -> None:
    page = "`betcore bet\nshow --colour a --provider 'b' c`, `betcore`\n```\nbetcore bets\n```\n"

    shown = list(_shown(page))

    assert shown == ["bets", "bet show --colour a --provider 'b' c"]
    assert [fault for one in shown for fault in _faults(shlex.split(one))] == [
        "betcore bets: no such command",
        "betcore bet show: no --colour",
        "betcore bet show: no argument for c",
    ]


def _shown(text: str) -> Iterator[str]:
    """What follows `betcore` wherever a page shows it as code."""
    blocks = FENCE.findall(text)
    spans = [" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text))]
    for code in [*blocks, *spans]:
        for line in code.splitlines():
            if found := re.match(r"(?:sudo -u OWNER |\S*/)?betcore (.+)", line.strip()):
                yield found[1]


def _faults(words: list[str]) -> Iterator[str]:
    command: Any = get_command(app)
    named = "betcore"
    while words and hasattr(command, "get_command"):
        name = words.pop(0)
        found = command.get_command(typer.Context(command), name)
        if not found and not name.startswith(("-", "…")):
            yield f"{named} {name}: no such command"
        if not found:
            return
        command, named = found, f"{named} {name}"
    options = {"--help": None, **{o: each for each in command.params for o in each.opts}}
    left = sum(parameter.param_type_name == "argument" for parameter in command.params)
    while words:
        word = words.pop(0)
        if word in options:
            if not getattr(options[word], "is_flag", True):
                del words[:1]
        elif word.startswith("--"):
            yield f"{named}: no {word}"
        elif (left := left - 1) < 0:
            yield f"{named}: no argument for {word}"
