"""What every file and every test of ours keeps to."""

import ast
import re
import socket
from urllib.parse import urlsplit

from tests.conftest import SLOWEST
from tests.source import (
    ROOT,
    Found,
    assert_none,
    files,
    functions,
    is_in,
    lines,
    name_of,
    of_tests,
    ours,
    polling,
    public,
    tree,
    where,
)

UNFINISHED = re.compile(r"\b(TO(?:)DO|FIX(?:)ME|XX(?:)X|HA(?:)CK)\b")
URL = re.compile(r"\bhttps?://[^\s\"'`<>()\[\]{}\\%,;]+")
KNOWN_HOSTS = re.compile(
    r"127\.0\.0\.1|localhost|::1|(.*\.)?example(\.com|\.org|\.net)?|.*\.(test|invalid)"
    r"|opentelemetry\.io|www\.apache\.org|www\.w3\.org|gateway|collector|prometheus(\.monitoring)?"
    r"|2130706433|169\.254\.169\.254|github\.com|docs\.python\.org"
    r"|schema\.getpostman\.com"
)
OF_HOSTS = "tests/unit/test_addresses.py"  # hosts that nobody may call, in every spelling
PERSONAL_PATH = re.compile(r"/(home|Users)/[a-z]\w*/")
OWN_INDEX = re.compile(r"--(extra-)?index-(url)|--(trusted)-host|PIP_(INDEX|EXTRA)_", re.IGNORECASE)
#: Of which much may be said that is about no machine in particular.
COMMON_FOLDERS = {f"/{name}" for name in ("", "app", "home", "opt", "root", "srv", "tmp", "usr")}


def test_every_file_begins_by_saying_what_it_is_for() -> None:
    def faults() -> Found:
        for path in files(".py"):
            if not ast.get_docstring(tree(path)):
                yield f"{where(path, 1)}: no docstring"
        for path in files(".lua"):
            if not lines(path)[0].startswith("-- "):
                yield f"{where(path, 1)}: no comment"

    assert_none(faults(), "a file begins with a sentence that says what it is for")


def test_everything_public_has_a_docstring() -> None:
    def faults() -> Found:
        for path in ours():
            for node in public(tree(path)):
                if not ast.get_docstring(node):
                    yield f"{where(path, node.lineno)}: {node.name} has none"

    assert_none(faults(), "a public function or class says what a caller is promised")


def test_nothing_is_left_for_later() -> None:
    faults = (
        f"{where(path, number)}: {line.strip()}"
        for path in files()
        for number, line in enumerate(lines(path), start=1)
        if UNFINISHED.search(line)
    )

    assert_none(faults, "what is not done is an issue, not a comment")


def test_no_file_names_a_registry_or_a_machine_of_ours() -> None:
    def faults() -> Found:
        folder, host = str(ROOT.parent), socket.gethostname()
        named = [re.escape(folder) + "/"] if folder not in COMMON_FOLDERS else []
        named += [rf"\b{re.escape(host)}\b"] if re.search(r"\w{3}.*\d", host) else []
        here = re.compile("|".join(named) or r"(?!)")
        for path in files():
            for number, line in enumerate(lines(path), start=1):
                if here.search(line) or PERSONAL_PATH.search(line) or OWN_INDEX.search(line):
                    yield f"{where(path, number)}: {line.strip()}"
                if is_in(path, [OF_HOSTS]):
                    continue
                for url in URL.findall(line.replace("\\.", ".")):
                    if not KNOWN_HOSTS.fullmatch(urlsplit(url).hostname or "localhost"):
                        yield f"{where(path, number)}: {url} (see KNOWN_HOSTS)"

    assert_none(faults(), "a file is right on every machine")


def test_a_test_waits_for_a_condition_and_never_for_time() -> None:
    def faults() -> Found:
        for path in of_tests():
            polls = {id(node) for loop in polling(path) for node in ast.walk(loop)}
            for node in ast.walk(tree(path)):
                if not isinstance(node, ast.Call) or name_of(node) != "sleep" or id(node) in polls:
                    continue
                if ast.unparse(node) != "asyncio.sleep(0)":  # lets others run, waits for nothing
                    yield f"{where(path, node.lineno)}: {ast.unparse(node)}"

    assert_none(faults(), "only a helper such as `until` sleeps, while it asserts a deadline")


def test_every_test_asserts_something() -> None:
    by_name = {node.name: node for path in of_tests() for node in functions(path)}

    def asserts(node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
        return any(
            isinstance(part, ast.Assert) or (isinstance(part, ast.Call) and checks(part, seen))
            for part in ast.walk(node)
        )

    def checks(call: ast.Call, seen: frozenset[str]) -> bool:
        name = name_of(call)
        if name in ("raises", "warns", "run_state_machine_as_test"):
            return True
        helper = by_name.get(name) if isinstance(call.func, ast.Name) else None
        return helper is not None and name not in seen and asserts(helper, seen | {name})

    faults = (
        f"{where(path, node.lineno)}: {node.name}"
        for path in of_tests()
        for node in functions(path)
        if node.name.startswith("test_") and not asserts(node)
    )

    assert_none(faults, "a test is a promise that can be broken")


def test_the_slowest_files_of_tests_exist() -> None:
    faults = (name for name in SLOWEST if not (ROOT / name).exists())

    assert_none(faults, "tests/conftest.py orders files that are there")
