"""The command lines that README and the documents show, and whether `betcore` can read them."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from typer.main import get_command

from betcore_kit.cli import app as kit
from ops.cli import app
from tests.source import ROOT

#: ADRs and the changelog are not here: they tell what was so when they were written.
DOCUMENTS = [
    page
    for page in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
    if page.name != "CHANGELOG.md"
]
APPS = {"betcore": app, "betcore-kit": kit}
PROGRAMS = (*APPS, "make", "rq")
#: What stands for the placeholders of a document where a command is only read.
STAND_INS = {"NUMBER": "1", "SECONDS": "60", "TIME": "2026-01-01"}
_PLACEHOLDER = re.compile(r"\b[A-Z][A-Z_]+\b")
_FENCE = re.compile(r"^\s*```(\w*)")
_SPAN = re.compile(r"`([^`\n]+)`")
_PROMPT = re.compile(r"^\s*\$ (.+)")
_ONLY_ASSIGNS = re.compile(r"^(\w+=\S*\s*)+$")
_SHELLS = ("sh", "bash", "console", "shell")
_BETWEEN = ("&&", "||", "|", ";", "&")
_REDIRECTS = ("<", ">", ">>", ">&")


@dataclass(frozen=True)
class Shown:
    """One command as a document shows it."""

    where: str  # file and line
    text: str
    words: tuple[str, ...]  # its program first; none of a script
    is_whole: bool  # to be typed as it is; otherwise a sentence mentions it

    @property
    def is_script(self) -> bool:
        """Whether it is a block whose lines belong together because they share variables."""
        return not self.words


def filled(words: Sequence[str], places: Mapping[str, str]) -> list[str]:
    """The words with their placeholders filled, also within a word: `provider:ID`."""
    return [_PLACEHOLDER.sub(lambda found: places.get(found[0], found[0]), one) for one in words]


def shown_in(name: str, text: str) -> list[Shown]:
    """Every command of a document."""
    return [*_typed(name, text), *_mentioned(name, text)]


def _typed(name: str, text: str) -> Iterator[Shown]:
    """The commands in blocks for a shell, and, in other blocks, ours and those behind a prompt."""
    for first, language, lines in _blocks(text):
        said: list[tuple[int, str]] = []
        begun = ""
        for number, line in enumerate(lines, start=first):
            prompt = _PROMPT.match(line)
            whole = begun + (prompt[1] if prompt else line).strip()
            if begun or prompt or language in _SHELLS or (language is not None and _ours(whole)):
                begun = whole[:-1] if whole.endswith("\\") else ""
                bare = re.sub(r"(^|\s)#.*", "", whole).strip()
                if bare and not begun:
                    said.append((number, bare))
        # From the first line on that only gives variables, it is a script that uses them.
        alone = next((n for n, (_, one) in enumerate(said) if _ONLY_ASSIGNS.match(one)), len(said))
        if script := said[alone:]:
            together = "\n".join(line for _, line in script)
            yield Shown(f"{name}:{script[0][0]}", together, (), is_whole=True)
        for number, bare in said[:alone]:
            for words in _commands(bare):
                yield Shown(f"{name}:{number}", bare, words, is_whole=True)


def _blocks(text: str) -> Iterator[tuple[int, str | None, list[str]]]:
    """The blocks of a document: its first line's number, language (None: prose), lines."""
    first, language, lines = 1, None, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if not (fence := _FENCE.match(line)):
            lines.append(line)
            continue
        yield first, language, lines
        first, lines = number + 1, []
        language = fence[1] if language is None else None
    yield first, language, lines


def _commands(line: str) -> Iterator[tuple[str, ...]]:
    """The commands of a line, each without assignments before it, and without redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words, is_redirected = list[str](), False
    for word in [*lexer, ";"]:
        if word in _BETWEEN:
            while words and re.match(r"\w+=", words[0]):
                words.pop(0)
            if words:
                yield (words[0].removeprefix(".venv/bin/"), *words[1:])
            words, is_redirected = [], False
        elif word in _REDIRECTS:
            is_redirected = True
        elif not is_redirected:
            words.append(word)


def _mentioned(name: str, text: str) -> Iterator[Shown]:
    """The commands in sentences and tables."""
    for first, language, lines in _blocks(text):
        for number, line in _paragraphs(first, lines if language is None else []):
            # In the first cell of a row, what follows a command of ours is one too.
            cell = line.split("|")[1] if line.startswith("|") else ""
            before: tuple[str, ...] = ()
            of_row: list[tuple[str, ...]] = []
            for span in map(str.strip, _SPAN.findall(line)):
                if _ours(span):
                    before = next(_commands(span))
                elif of_row and span.startswith("--"):
                    words = _with_option(of_row, shlex.split(span))
                    yield Shown(f"{name}:{number}", span, words, is_whole=False)
                    continue
                elif before[:1] == ("betcore",) and f"`{span}`" in cell and span[0].isalpha():
                    before = _continued(before, shlex.split(span))
                else:
                    continue
                if before[0] == "betcore" and f"`{span}`" in cell:
                    of_row.append(before)
                yield Shown(f"{name}:{number}", span, before, is_whole=False)


def _paragraphs(first: int, lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Rows of tables, and paragraphs as one line each, as a span may go on in the next line."""
    begun, joined = first, ""
    for number, line in enumerate([*lines, ""], start=first):
        if joined and (not line.strip() or line.startswith("|")):
            yield begun, joined
            joined = ""
        if line.startswith("|"):
            yield number, line
        elif line.strip():
            begun = begun if joined else number
            joined = f"{joined} {line.strip()}".strip()


def _ours(text: str) -> bool:
    words = text.strip().removeprefix(".venv/bin/").split()
    return words[:1] != [] and words[0] in PROGRAMS


def _continued(before: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """What a span means behind a command: of `queue suspend`, `resume` the other of that group."""
    replaced = max(1, len(before) - len(words))
    for kept in (replaced, *range(len(before) - 1, 0, -1)):
        tried = (*before[:kept], *words)
        if not fault(tried[1:], is_whole=False):
            return tried
    return ("betcore", *words)


def _with_option(commands: Sequence[tuple[str, ...]], option: Sequence[str]) -> tuple[str, ...]:
    """The command of a row of a table that an option in that row is for: one that has it."""
    together = [(*command, *option) for command in commands]
    return next((one for one in together if not fault(one[1:], is_whole=False)), together[-1])


def fault(words: Sequence[str], *, is_whole: bool, program: str = "betcore") -> str:
    """Why a program of ours cannot read these words, in one line; '' when it can.

    A mention that is not whole may lack what a reader adds: arguments, and values of options.
    """
    command: Any = get_command(APPS[program])
    context = command.make_context(program, [], resilient_parsing=True)
    rest = filled(words, STAND_INS)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        command = command.get_command(context, name)
        if command is None:
            return f"there is no command {name!r}"
    if hasattr(command, "commands"):
        return "it names no command" if is_whole and words else ""
    try:
        command.make_context(command.name, list(rest), parent=context)
    except Exception as error:
        if not hasattr(error, "format_message"):  # no fault of the words
            raise
        said = " ".join(str(error.format_message()).split())
        is_incomplete = said.startswith("Missing ") or " requires an argument" in said
        if is_whole or not is_incomplete:
            return said
        lenient = command.make_context(command.name, rest, parent=context, resilient_parsing=True)
        return f"{lenient.args[0]!r} is no argument of it" if lenient.args else ""
    return ""
