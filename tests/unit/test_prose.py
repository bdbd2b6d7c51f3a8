"""Plain English: the length of sentences and lines, and links that resolve.

The rules are in CONTRIBUTING.md. In documents, code, tables, headings and comments are not prose.
In code, docstrings and comments are.
"""

import ast
import io
import re
import statistics
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.source import ROOT

MEDIAN_WORDS_MAX = 18
P90_WORDS_MAX = 28
WORDS_MAX = 40
LINE_CHARACTERS_MAX = 100

#: Packages and modules whose docstrings and comments are plain.
PACKAGES = (
    *("api", "betcore_launcher.py", "broker", "embedded", "kit", "logs", "metrics", "models"),
    *("ops", "server", "settings", "workers"),
)

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "kit/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]

_CODE_SPAN = re.compile(r"`[^`]+`")
_LONG_SPAN = re.compile(r"`[^`]{80,}`")  # such as a body in JSON: nowhere to break a line
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_ITEM = re.compile(r"^\s*([-*]|\d+\.)\s+")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
_SENTENCE_ENDS = re.compile(r"""(?<=[.!?])[)"'*_]*\s+(?=[("'*_]*(?:[A-Z0-9]|betcore))""")
_WORD = re.compile(r"\S*\w\S*")
_BRANCH = re.compile(r"^[│ ]*[├└]── ", re.MULTILINE)  # of a tree, such as that of models/errors.py
_PRAGMA = re.compile(r"\b(noqa(: [A-Z]+\d+)?|type: ignore(\[[\w-]+\])?|fmt: (on|off))")
_LUA_COMMENT = re.compile(r"^(.*?)--+ ?(.*)$")


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """The text of a page with empty lines instead of code, tables, headings and comments."""
    text = _FENCE.sub(_blank, _COMMENT.sub(_blank, text))
    lines = text.splitlines()
    return "\n".join("" if line.lstrip().startswith(("|", "#", "![")) else line for line in lines)


def sentences(text: str) -> Iterator[str]:
    """Each sentence of a page. An item of a list begins a sentence; a code span is one word."""
    paragraph: list[str] = []
    for line in [*prose(text).splitlines(), ""]:
        if paragraph and (not line.strip() or _ITEM.match(line)):
            joined = _LINK.sub(r"\1", _CODE_SPAN.sub("Code", " ".join(paragraph)))
            yield from (found for found in _SENTENCE_ENDS.split(joined) if _WORD.search(found))
            paragraph = []
        if line.strip():
            paragraph.append(_ITEM.sub("", line).strip())


def words(sentence: str) -> int:
    """How many words a sentence has; a dash or a sign is none."""
    return len(_WORD.findall(sentence))


def remarks(path: Path) -> Iterator[str]:
    """Each docstring and comment of a file of Python or Lua; consecutive lines are one comment."""
    read = _lua_remarks if path.suffix == ".lua" else _python_remarks
    yield from (text for text in read(path.read_text()) if text)


def assert_short(said: list[str]) -> None:
    """Their lengths are within the limits: the median, the 90th percentile, the longest."""
    ordered = sorted(words(sentence) for sentence in said)

    longest = [f"{words(one)} words: {one}" for one in said if words(one) > WORDS_MAX]
    assert not longest, "\n".join(longest)
    assert statistics.median(ordered) <= MEDIAN_WORDS_MAX
    assert ordered[int(len(ordered) * 0.9)] <= P90_WORDS_MAX


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_sentences_are_short(page: Path) -> None:
    assert_short(list(sentences(page.read_text())))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_lines_are_short(page: Path) -> None:
    lines = (_LONG_SPAN.sub("Code", _LINK.sub(r"\1", line)) for line in _lines(page))
    long = [
        f"{_name(page)}:{n}" for n, line in enumerate(lines, 1) if len(line) > LINE_CHARACTERS_MAX
    ]

    assert not long, f"lines above {LINE_CHARACTERS_MAX} characters: {', '.join(long)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_sentences_in_code_are_short(package: str) -> None:
    assert_short(
        [one for path in _sources(package) for text in remarks(path) for one in sentences(text)]
    )


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = [target for target in _links(page) if not _resolves(page, target)]

    assert not broken, f"{_name(page)}: {', '.join(broken)}"


def test_every_test_that_a_page_names_exists() -> None:
    there = {path.name for path in (ROOT / "tests").rglob("*.py")}
    named = {name for page in PAGES for name in re.findall(r"\btest_\w+\.py\b", page.read_text())}

    assert named
    assert named <= there


def test_every_path_that_contributors_are_told_exists() -> None:
    spans = _CODE_SPAN.findall((ROOT / "CONTRIBUTING.md").read_text())
    paths = [span.strip("`") for span in spans if re.fullmatch(r"`[\w./-]+(/|\.\w+)`", span)]

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_what_counts_as_a_sentence() -> None:
    page = "# Not this\nOne two. `a b` three\nfour: five.\n- six 1.5\n- seven\n| not | this |\n"

    found = list(
        sentences(page + "```\nnor this\n```\n<!-- nor\nthis -->\nEight = [nine](a.md).\n")
    )

    assert found == ["One two.", "Code three four: five.", "six 1.5", "seven", "Eight = nine."]
    assert [words(sentence) for sentence in found] == [2, 4, 2, 1, 2]


def test_what_counts_as_a_remark(tmp_path: Path) -> None:
    python, lua = tmp_path / "a.py", tmp_path / "a.lua"
    python.write_text(
        '"""One.\n\nTwo\nthree.\n"""\n#: Four\n#: five.\nsix = 6  # seven\n\n\n'
        'def eight() -> None:  # noqa: A1 - nine\n    """Ten: `#`."""\n    # Eleven\n'
        '    eight()  # type: ignore[x]\n    return "# not this"\n'
    )
    lua.write_text("-- One\n-- two.\nlocal three = 3 -- four\n\n-- five\n")

    said = [one for text in remarks(python) for one in sentences(text)]
    assert said == ["One.", "Two three.", "Ten: Code.", "Four five.", "seven", "nine", "Eleven"]
    assert list(remarks(lua)) == ["One\ntwo.", "four", "five"]


def _sources(package: str) -> list[Path]:
    path = ROOT / package
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    return [file for file in found if file.suffix in (".py", ".lua")]


def _python_remarks(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield _BRANCH.sub("- ", ast.get_docstring(node) or "")
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    yield from _blocks(
        (one.start, one.line.lstrip().startswith("#"), one.string.lstrip("#:")) for one in comments
    )


def _lua_remarks(source: str) -> Iterator[str]:
    found = ((n, _LUA_COMMENT.match(line)) for n, line in enumerate(source.splitlines(), 1))
    yield from _blocks(
        ((n, len(match[1])), not match[1].strip(), match[2]) for n, match in found if match
    )


def _blocks(comments: Iterable[tuple[tuple[int, int], bool, str]]) -> Iterator[str]:
    """Comments with their places; those that stand alone, one below the other, are one text."""
    text, below = "", (0, 0)
    for (line, column), alone, comment in comments:
        said = _PRAGMA.sub("", comment).strip(" #")
        if alone and below == (line, column):
            text = f"{text}\n{said}"
        else:
            yield text
            text = said
        below = (line + 1, column) if alone else (0, 0)
    yield text


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def _lines(page: Path) -> list[str]:
    return prose(page.read_text()).splitlines()


def _links(page: Path) -> Iterator[str]:
    for found in _LINK.finditer(_FENCE.sub(_blank, page.read_text())):
        if "://" not in found[2]:
            yield found[2]


def _resolves(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = page.parent / path if path else page
    if not anchor or not file.is_file():
        return file.exists()
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub(_blank, file.read_text()), re.MULTILINE)
    return anchor in {_anchor(heading) for heading in headings}


def _anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
