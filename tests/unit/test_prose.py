"""Plain English in documents, docstrings and comments: short sentences, and links that resolve.

The rules are in CONTRIBUTING.md. Code, tables, headings and comments of a page are not prose.
"""

import ast
import io
import re
import statistics
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source import ROOT, Documented, files, is_in, tree

MEDIAN_WORDS_MAX = 18
P90_WORDS_MAX = 28
WORDS_MAX = 40
LINE_CHARACTERS_MAX = 100

#: Pages whose sentences may be longer than the limits, and why.
NOT_YET_PLAIN = {
    "docs/ARCHITECTURE.md": "is rewritten together with the folders that it describes",
}

#: Packages whose docstrings and comments are held to the limits.
PACKAGES = ("api", "embedded", "ops", "server")

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PLAIN = [page for page in PAGES if page.relative_to(ROOT).as_posix() not in NOT_YET_PLAIN]

_CODE_SPAN = re.compile(r"`[^`]+`")
_LONG_SPAN = re.compile(r"`[^`]{80,}`")  # such as a body in JSON: nowhere to break a line
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_DIRECTIVE = re.compile(r"#\s*(?:noqa|type:)[^#]*")  # to the linter or to mypy
_FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_ITEM = re.compile(r"^\s*([-*]|\d+\.)\s+")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
_SENTENCE_ENDS = re.compile(r"""(?<=[.!?])[)"'*_]*\s+(?=[("'*_]*(?:[A-Z0-9]|betcore))""")
_WORD = re.compile(r"\S*\w\S*")


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


def comments(text: str) -> Iterator[str]:
    """Each comment of a module's source. Lines of comments that follow each other are one comment.

    Directives to the linter or to mypy are left out, but not their reasons.
    """
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, column = token.start
        is_alone = not token.line[:column].strip()
        if block and not (is_alone and line == last + 1):
            yield "\n".join(block)
            block = []
        block.append(_DIRECTIVE.sub("", token.string).lstrip("#: "))
        last = line if is_alone else 0
    yield "\n".join(block)


def said_in_code(path: Path) -> Iterator[str]:
    """Each sentence of a module's docstrings and comments."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Module | Documented):
            yield from sentences(ast.get_docstring(node) or "")
    for comment in comments(path.read_text()):
        yield from sentences(comment)


@pytest.mark.parametrize("package", PACKAGES)
def test_sentences_in_code_are_short(package: str) -> None:
    modules = [path for path in files(".py") if is_in(path, [package])]
    said = [(path, sentence) for path in modules for sentence in said_in_code(path)]
    ordered = sorted(words(sentence) for _, sentence in said)

    longest = [f"{_name(path)}: {one}" for path, one in said if words(one) > WORDS_MAX]
    assert not longest, "\n".join(longest)
    assert ordered[int(len(ordered) * 0.9)] <= P90_WORDS_MAX


@pytest.mark.parametrize("page", PLAIN, ids=_name)
def test_sentences_are_short(page: Path) -> None:
    said = list(sentences(page.read_text()))
    ordered = sorted(words(sentence) for sentence in said)

    longest = [f"{words(one)} words: {one}" for one in said if words(one) > WORDS_MAX]
    assert not longest, "\n".join(longest)
    assert statistics.median(ordered) <= MEDIAN_WORDS_MAX
    assert ordered[int(len(ordered) * 0.9)] <= P90_WORDS_MAX


@pytest.mark.parametrize("page", PLAIN, ids=_name)
def test_lines_are_short(page: Path) -> None:
    lines = (_LONG_SPAN.sub("Code", _LINK.sub(r"\1", line)) for line in _lines(page))
    long = [
        f"{_name(page)}:{n}" for n, line in enumerate(lines, 1) if len(line) > LINE_CHARACTERS_MAX
    ]

    assert not long, f"lines above {LINE_CHARACTERS_MAX} characters: {', '.join(long)}"


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


def test_pages_that_are_not_yet_plain_are_pages() -> None:
    assert set(NOT_YET_PLAIN) <= {_name(page) for page in PAGES}


def test_what_counts_as_a_sentence() -> None:
    page = "# Not this\nOne two. `a b` three\nfour: five.\n- six 1.5\n- seven\n| not | this |\n"

    found = list(
        sentences(page + "```\nnor this\n```\n<!-- nor\nthis -->\nEight = [nine](a.md).\n")
    )

    assert found == ["One two.", "Code three four: five.", "six 1.5", "seven", "Eight = nine."]
    assert [words(sentence) for sentence in found] == [2, 4, 2, 1, 2]


def test_what_counts_as_a_comment() -> None:
    source = (
        "a = 1  # one\nb = 2  # two\n# three\n#: four\n"
        "c = 3  # noqa: E741  # five\nd = 4  # type: ignore[misc]\n"
    )

    assert list(comments(source)) == ["one", "two", "three\nfour", "five", ""]


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
